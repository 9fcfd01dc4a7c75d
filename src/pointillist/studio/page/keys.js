// The keyboard. Letters work wherever nothing is being typed.

/** @type {[string, string][]} */
export const KEYS = [
  ["P", "paint"], ["Esc", "stop, let go of a pixel"], ["Space", "play or pause"], [", .", "one pixel back, on"],
  ["Home End", "first, newest pixel"], ["← → ↑ ↓", "choose a pixel of the canvas"], ["Enter", "hold the pixel; draw with pencil or eraser"], ["Shift+arrow", "draw or erase on the way"],
  ["R", "repaint from the held pixel"], ["C", "let the model continue"], ["1 2 3 4 5", "image, expected, surprise, looked at, moved"],
  ["V B E", "look, pencil, eraser"], ["[ ]", "smaller, larger brush"], ["I Alt+click", "take the level under the pencil"],
  ["Ctrl+Z Ctrl+Y", "undo, redo"], ["+ − 0", "zoom in, out, fit"], ["G", "grid"], ["N Shift+N", "next canvas, the one before"], ["O", "open a picture or a recipe"], ["?", "this list"],
];

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./commands.js").Commands} Commands */

const TYPED = "input:not([type=range], [type=radio], [type=checkbox], [type=button]), textarea, select, dialog *";

/**
 * On the page that is the studio's own all keys are; in a notebook, those that are pressed within it.
 * @param {HTMLElement} root @param {State} state @param {Commands} commands @param {AbortSignal} over
 */
export function listenToKeys(root, state, commands, over) {
  const hear = (/** @type {Event} */ event) => {
    if (!(event instanceof KeyboardEvent)) return;
    const target = event.target instanceof Element ? event.target : root;
    if (event.defaultPrevented || target.matches(TYPED) || !(root.contains(target) || target === document.body)) return;
    const onCanvas = target.matches("canvas.image");
    if (event.ctrlKey || event.metaKey) return withControl(event, commands);
    if (event.altKey) return;
    if (target.matches("button, summary, [type=radio]") && (event.key === " " || event.key === "Enter" || event.key.startsWith("Arrow"))) return;
    if (onCanvas && move(event, state, commands)) return event.preventDefault();
    const act = event.key === "N" ? () => commands.next(-1) : ACTS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || target.matches("[type=range]") && event.key.length > 1) return;
    act(commands);
    event.preventDefault();
  };
  root.getRootNode().addEventListener("keydown", hear, { signal: over });
}

/** @param {KeyboardEvent} event @param {Commands} commands */
function withControl(event, commands) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  if (key === "y" || event.shiftKey) commands.redo();
  else commands.undo();
  event.preventDefault();
}

/** @type {Record<string, (commands: Commands) => void>} */
const ACTS = {
  p: (c) => c.paint(), Escape: (c) => c.escape(), " ": (c) => c.player.toggle(), ",": (c) => c.player.step(-1), ".": (c) => c.player.step(1),
  Home: (c) => c.player.seek(0), End: (c) => c.player.seek(Infinity), r: (c) => c.repaint(), c: (c) => c.goOn(),
  1: (c) => c.view("image"), 2: (c) => c.view("entropy"), 3: (c) => c.view("surprise"), 4: (c) => c.view("look"), 5: (c) => c.view("shift"),
  v: (c) => c.tool("look"), b: (c) => c.tool("pencil"), e: (c) => c.tool("eraser"), "[": (c) => c.brush(-1), "]": (c) => c.brush(1),
  "+": (c) => c.zoom(1), "=": (c) => c.zoom(1), "-": (c) => c.zoom(-1), 0: (c) => c.zoom(0), g: (c) => c.grid(), n: (c) => c.next(1), i: (c) => c.pick(), o: (c) => c.open(), "?": (c) => c.keys(),
};

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** The cursor over the pixels of the board in hand. @param {KeyboardEvent} event @param {State} state @param {Commands} commands */
function move(event, state, commands) {
  const { board } = state;
  if (!board) return false;
  const from = state.hover?.pixel ?? state.pin?.pixel ?? 0;
  if (event.key === "Enter") {
    commands.press(from);
    return true;
  }
  const arrow = ARROWS[event.key];
  if (!arrow) return false;
  const first = state.hover === null && state.pin === null;
  const row = Math.floor(from / board.width) + (first ? 0 : arrow[0]);
  const column = (from % board.width) + (first ? 0 : arrow[1]);
  const inside = row >= 0 && column >= 0 && row < board.height && column < board.width;
  if (!inside) return true;
  const pixel = row * board.width + column;
  commands.moveTo(pixel);
  if (event.shiftKey && state.tool !== "look") commands.press(pixel);
  return true;
}
