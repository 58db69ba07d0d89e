// State hashes that native runs end in, from tests/common/golden.rs.
import { readFileSync } from "node:fs";

const rows = readFileSync(new URL("../common/golden.rs", import.meta.url), "utf8").matchAll(/\("([\w-]+)", (\d+), (\d+), "([0-9a-f]{16})"\)/g);
const hashes = new Map([...rows].map(([, id, seed, , hash]) => [`${id} ${seed}`, hash]));

export function goldenHash(id, seed) {
  const hash = hashes.get(`${id} ${seed}`);
  if (!hash) throw new Error(`${id} with seed ${seed} is not golden`);
  return hash;
}
