// What the dungeon of the day shows around its map: the lamp, what one carries, where the draught comes from, the spell, and the end.

import { button, html, setText } from "../shared/dom.js";
import { FLOORS, LAMP, questOf, seedOf } from "./quest.js";
import { nameOfDay, strip } from "./round.js";

const SIGHT = 8.5, LEAST = 3.5; // cells that a full lamp lights, and one that is almost out
const COMPASS = ["east", "south-east", "south", "south-west", "west", "north-west", "north", "north-east"];
const HOW = `Down the stairs three times before the lamp is out: first find the key, then the vault. Arrow keys, WASD or HJKL, or a swipe; a tap walks there. The spell paints a door, and the model draws the map around it.`;

export class DungeonPanel {
  /** @param {{aim: () => void, again: () => void, close: () => void}} acts */
  constructor({ aim, again, close }) {
    this.title = html("b", {});
    this.lamp = html("meter", { min: 0, max: LAMP, "aria-label": "Light of the lamp" });
    this.light = html("span", {});
    this.has = html("span", {});
    this.goal = html("span", {});
    this.spell = button("", "Paint a door where something is in the way (Space), then choose a direction", aim, { className: "strong", "aria-pressed": "false" });
    this.said = html("p", { className: "said", role: "status" });
    this.text = html("pre", { tabIndex: 0, "aria-label": "The round, to paste" });
    this.verdict = html("h3", {});
    /** @type {HTMLElement} */
    this.end = html("section", { className: "quest-end", "aria-label": "The end of the round", hidden: true }, this.verdict, this.text, html("div", { className: "row" }, button("Copy", "The round and a link to it, to paste", () => void this.#copy(), { className: "strong" }), button("Play this dungeon", "From the start", again), button("Look around", "Close this, and see the map", () => void Object.assign(this.end, { hidden: true }))));
    this.el = html("div", { className: "row quest", role: "group", "aria-label": "Dungeon of the day", hidden: true },
      this.title, this.lamp, this.light, this.has, this.goal, this.spell, button("Again", "From the start of this dungeon", again), button("Leave", "To the endless map", close), this.said);
  }
  async #copy() {
    getSelection()?.selectAllChildren(this.text); // for a browser that does not let the page copy
    await navigator.clipboard.writeText(this.text.textContent ?? "");
    setText(this.verdict, "Copied. Whoever opens the link sees this round again, to the bit.");
  }
  /** Cells that the lamp lights. @param {import("./quest.js").Walk} walk */
  sight({ light }) {
    return LEAST + (SIGHT - LEAST) * Math.min(1, light / LAMP);
  }
  /** Where the figure has to go. @param {import("./quest.js").Walk} walk @returns {{name: string, down: number, right: number}} */
  goalOf({ day, floor, row, column, keys }) {
    const { key, stairs } = questOf(seedOf(day ?? 0, floor)), [goalRow, goalColumn] = keys ? stairs : key;
    return { name: keys ? "the stairs" : "the key", down: goalRow - row, right: goalColumn - column };
  }
  /** @param {import("./quest.js").Walk} walk @param {{aiming: boolean, replays: boolean, link: string}} how */
  update(walk, { aiming, replays, link }) {
    const { name, down, right } = this.goalOf(walk), way = COMPASS[(Math.round((4 * Math.atan2(down, right)) / Math.PI) + 8) % 8];
    setText(this.title, `${nameOfDay(walk.day ?? 0)}, floor ${Math.min(walk.floor + 1, FLOORS)} of ${FLOORS}`);
    this.lamp.value = walk.light;
    setText(this.light, `light for ${walk.light} steps`);
    setText(this.has, `${walk.keys || "no"} ${walk.keys === 1 ? "key" : "keys"}`);
    setText(this.goal, walk.end ? "" : `${name}: ${Math.abs(down) + Math.abs(right)} cells, ${way}`);
    setText(this.spell, aiming ? "Which direction?" : `Door spell (${walk.charges})`);
    this.spell.disabled = !walk.charges || walk.end !== null || replays;
    this.spell.setAttribute("aria-pressed", String(aiming));
    setText(this.said, aiming ? "Where is the door to be? Press a direction, or tap on that side of the figure." : walk.message || (replays ? "This round is played again …" : walk.steps ? "" : HOW));
    if (!walk.end) { this.end.hidden = true; setText(this.text, ""); }
    else if (this.text.textContent === "") {
      setText(this.verdict, walk.message);
      setText(this.text, `${strip(walk)}\n${link}`);
      this.end.hidden = false;
    }
  }
  /** Draw where the draught comes from, at the edge of the light. @param {CanvasRenderingContext2D} brush @param {number} x @param {number} y @param {number} cell @param {import("./quest.js").Walk} walk */
  drawDraught(brush, x, y, cell, walk) {
    const { down, right } = this.goalOf(walk), far = Math.hypot(down, right), reach = Math.min(far - 1, this.sight(walk) * 0.85) * cell;
    if (far < 2 || walk.end) return;
    brush.save();
    brush.translate(x + (reach * right) / far, y + (reach * down) / far);
    brush.rotate(Math.atan2(down, right));
    brush.beginPath();
    for (const [along, aside] of [[0.5, 0], [-0.3, 0.4], [-0.1, 0], [-0.3, -0.4]]) brush.lineTo(along * cell, aside * cell);
    brush.closePath();
    Object.assign(brush, { fillStyle: walk.keys ? "#8fd18f" : "#f2c14e", strokeStyle: "#0c0912", lineWidth: 2 });
    brush.fill();
    brush.stroke();
    brush.restore();
  }
}
