// Reads {name: html} on standard input, writes {lacking: {feature: [clients]}, untested: [clients]} on standard output.
// A client is untested where the tables do not say for every feature in use whether it has it.
import { createRequire } from "node:module";
import { caniemail } from "caniemail";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const mails = Object.values(JSON.parse(input));

const { data } = createRequire(import.meta.url)("caniemail/caniemail.json");
const families = data.flatMap(({ stats }) => Object.entries(stats));
const clients = new Set(families.flatMap(([family, places]) => Object.keys(places).map((place) => `${family}.${place}`)));

const lacking = {};
const untested = [];
for (const client of [...clients].sort()) {
  try {
    const titles = mails.flatMap((html) => [...caniemail({ clients: [client], html }).issues.errors].flatMap(([, found]) => found.map(({ title }) => title)));
    for (const title of new Set(titles)) (lacking[title] ??= []).push(client);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    untested.push(client);
  }
}
const sorted = Object.fromEntries(Object.keys(lacking).sort().map((title) => [title, lacking[title]]));
process.stdout.write(JSON.stringify({ lacking: sorted, untested }));
