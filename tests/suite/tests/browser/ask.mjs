// Asks the JavaScript build of core what stands on standard input, and prints its answers.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { aliasLabel, problemOf, serviceIds } = createRequire(import.meta.url)(process.argv[2]);
const asked = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({
  ids: asked.services.map((names) => serviceIds(...names)),
  labels: asked.aliases.map((names) => aliasLabel(...names) ?? null),
  problems: asked.codes.map((code) => problemOf(code) ?? null),
}));
