// Where the site lives: "/" or "/some/where/".
const baseUrl = process.env.BASE_URL ?? "/";

export default {
  title: "Delivery Lab in Docusaurus",
  url: "https://example.org",
  baseUrl,
  onBrokenLinks: "throw",
  // The Lab is in static/lab.
  scripts: [`${baseUrl}lab/embed.js`],
  presets: [["classic", { docs: { routeBasePath: "/", sidebarPath: undefined }, blog: false }]],
  themeConfig: {
    colorMode: { respectPrefersColorScheme: true },
    navbar: { title: "Delivery Lab in Docusaurus" },
  },
};
