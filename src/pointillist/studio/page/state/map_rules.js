// Switches for the rules of maps, and the rules that they mean for the levels of a model.

/** @typedef {{walls: boolean, stairs: boolean, reachable: boolean}} RuleSwitches */

const USUAL = ["[]", "null", "0", "100", '"none"']; // values of rules that bind nothing
const SOLID = ["outside", "wall", "water", "tree"];

/** @type {{key: keyof RuleSwitches, name: string, title: string, needs: string[]}[]} */
export const SWITCHES = [
  { key: "walls", name: "Walls around", title: "The outermost cells are walls", needs: ["wall"] },
  { key: "stairs", name: "One way in, one way out", title: "One staircase up, one down", needs: ["stairs up", "stairs down"] },
  { key: "reachable", name: "Everything reachable", title: "All cells that one can walk on form one piece", needs: ["floor"] },
];

/** Return the switches that rules came from; null if they say more than switches do. @param {Api.Rules | null} rules @param {Api.ImageKind} image @returns {RuleSwitches | null} */
export function switchesOfRules(rules, image) {
  const switches = { walls: Boolean(rules?.border?.length), stairs: Boolean(rules?.counts?.length), reachable: Boolean(rules?.connected?.length) };
  const said = (/** @type {Api.Rules | null} */ one) => JSON.stringify(one ?? {}, (_, value) => (USUAL.includes(JSON.stringify(value)) ? undefined : value));
  return said(rules) === said(rulesOf(switches, image)) ? switches : null;
}

/** List the switches that a kind of image can have. @param {Api.ImageKind} image */
export const switchesOf = ({ level_names: names }) => SWITCHES.filter(({ needs }) => names !== null && needs.every((name) => names.includes(name)));

/** Write rules for a link: the names of their switches, or as JSON. @param {Api.Rules | null} rules @param {Api.ImageKind} image */
export function writeRules(rules, image) {
  const switches = switchesOfRules(rules, image);
  return switches ? switchesOf(image).map(({ key }) => key).filter((key) => switches[key]).join() : JSON.stringify(rules);
}

/** List the levels that one can walk on. @param {Api.ImageKind} image */
export const walkable = ({ level_names: names }) => (names ?? []).filter((name) => !SOLID.includes(name));

/** Return the rules of a request; null for none. @param {RuleSwitches} switches @param {Api.ImageKind} image @returns {Api.Rules | null} */
export function rulesOf(switches, image) {
  const names = image.level_names ?? [];
  const on = switchesOf(image).map(({ key }) => key).filter((key) => switches[key]);
  if (!on.length) return null;
  return {
    border: on.includes("walls") ? ["outside", "wall"].filter((name) => names.includes(name)) : [],
    counts: on.includes("stairs") ? ["stairs up", "stairs down"].map((name) => ({ levels: [name], at_least: 1, at_most: 1 })) : [],
    connected: on.includes("reachable") ? [{ levels: walkable(image) }] : [],
  };
}
