// Where the site lives: "/" or "/some/where/".
const baseUrl = process.env.BASE_URL ?? "/";

export default {
  title: "Delivery Lab in Docusaurus",
  url: "https://example.org",
  baseUrl,
  onBrokenLinks: "throw",
  // The Lab is in static/lab.
  scripts: [`${baseUrl}lab/embed.js`],
  presets: [["classic", { docs: { routeBasePath: "/" }, blog: false, theme: { customCss: "./src/css/custom.css" } }]],
  themeConfig: {
    colorMode: { respectPrefersColorScheme: true },
    navbar: { title: "Delivery Lab in Docusaurus" },
  },
};
