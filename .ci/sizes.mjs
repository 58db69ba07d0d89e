// Prints the size of every file in dist/ in bytes: as it is, as gzip and as brotli send it. Folders in one line each.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = process.argv[2] ?? "dist";

function sizes(bytes) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes, { params }).length];
}

function all(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? all(path) : [sizes(readFileSync(path))];
  });
}

const sum = (rows) => rows.reduce(([a, b, c], [d, e, f]) => [a + d, b + e, c + f], [0, 0, 0]);
const say = (row, name) => console.log(row.map((it) => String(it).padStart(10)).join(" ") + `  ${name}`);

say(["raw", "gzip", "brotli"], "file");
// What a first visit loads: the files that index.html names.
const page = readFileSync(join(dist, "index.html"), "utf8");
const visit = [];
for (const entry of readdirSync(dist, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
  const path = join(dist, entry.name);
  if (entry.isDirectory()) {
    const rows = all(path);
    say(sum(rows), `${entry.name}/ (${rows.length} files)`);
    continue;
  }
  const row = sizes(readFileSync(path));
  say(row, entry.name);
  if (entry.name === "index.html" || page.includes(`./${entry.name}`)) visit.push(row);
}
say(sum(visit), `to see the page for the first time (${visit.length} files)`);
