// Keyboard shortcuts. Letters work wherever no text is entered.

/** @type {[string, string][]} */
export const KEYS = [
  ["P", "paint"], ["Esc", "stop, put ghosts away, release a pixel"], ["Tab", "take the faint completion of what you draw"], ["Space", "play or pause"], [", .", "one pixel back, forward"],
  ["Home End", "first, newest pixel"], ["← → ↑ ↓", "select a pixel of the canvas"], ["Enter", "hold the pixel; draw with pencil or eraser"], ["Shift+arrow", "draw or erase along the way"],
  ["R", "repaint from the held pixel"], ["C", "continue what was stopped, or fill the hole"], ["1 2 3 4 5", "image, entropy, surprise, saliency, shift"],
  ["V B E K", "inspect, pencil, eraser, bucket"], ["L U J", "line, rectangle, ellipse"], ["M Q W X", "select a rectangle, lasso, wand, move"],
  ["Ctrl+A Ctrl+D", "select all, nothing"], ["Ctrl+C Ctrl+X Ctrl+V", "copy, cut, paste"], ["Delete", "erase the selection"], ["H", "mirror"], ["T", "show as a repeated tile"], ["[ ]", "smaller, larger brush"], ["I Alt+click", "pick the level under the pencil"],
  ["Ctrl+Z Ctrl+Y", "undo, redo"], ["+ − 0", "zoom in, out, fit"], ["G", "grid"], ["N Shift+N", "next, previous canvas"], ["O", "open a picture or a manifest"], ["?", "this list"],
];

export const TYPED = "input:not([type=range], [type=radio], [type=checkbox], [type=button]), textarea, select, dialog *";

/** Subscribe to keys. @param {HTMLElement} root @param {State} state @param {Commands} commands */
export function listenToKeys(root, state, commands) {
  const onKey = (/** @type {Event} */ event) => {
    if (!(event instanceof KeyboardEvent)) return;
    const target = event.target instanceof Element ? event.target : root;
    if (event.defaultPrevented || target.matches(TYPED) || !(root.contains(target) || target === document.body)) return;
    const onCanvas = target.matches("canvas.image");
    if (event.ctrlKey || event.metaKey) return withControl(event, commands);
    if (event.altKey) return;
    if (target.matches("button, summary, [type=radio]") && (event.key === " " || event.key === "Enter" || event.key.startsWith("Arrow"))) return;
    if (event.key === "Tab" && !event.shiftKey && state.ghost && !state.stroke && (onCanvas || !target.matches("button, summary, [tabindex='0']"))) {
      commands.ghosts.take();
      return event.preventDefault();
    }
    if (onCanvas && move(event, state, commands)) return event.preventDefault();
    const act = event.key === "N" ? () => commands.next(-1) : ACTS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || target.matches("[type=range]") && event.key.length > 1) return;
    if (!state.singleKeys && event.key.length === 1 && event.key !== " ") return;
    act(commands);
    event.preventDefault();
  };
  document.addEventListener("keydown", onKey);
}

/** @param {KeyboardEvent} event @param {Commands} commands */
function withControl(event, commands) {
  const key = event.key.toLowerCase();
  const act = key === "z" && event.shiftKey ? CONTROL.y : CONTROL[key];
  if (!act) return;
  act(commands);
  event.preventDefault();
}

/** @type {Record<string, (commands: Commands) => void>} Ctrl+V is the browser's event of pasting */
const CONTROL = { z: (c) => c.undo(), y: (c) => c.redo(), a: (c) => c.select(true), d: (c) => c.select(false), c: (c) => c.copy(), x: (c) => c.copy(true) };

/** @type {Record<string, (commands: Commands) => void>} */
const ACTS = {
  p: (c) => c.paint(), Escape: (c) => c.escape(), " ": (c) => c.playback.toggle(), ",": (c) => c.playback.step(-1), ".": (c) => c.playback.step(1),
  Home: (c) => c.playback.seek(0), End: (c) => c.playback.seek(Infinity), r: (c) => c.repaint(), c: (c) => c.complete(),
  1: (c) => c.view("image"), 2: (c) => c.view("entropy"), 3: (c) => c.view("surprisal"), 4: (c) => c.view("saliency"), 5: (c) => c.view("shift"),
  v: (c) => c.tool("inspect"), b: (c) => c.tool("pencil"), e: (c) => c.tool("eraser"), k: (c) => c.tool("bucket"), l: (c) => c.tool("line"), u: (c) => c.tool("rectangle"), j: (c) => c.tool("ellipse"),
  m: (c) => c.tool("select"), q: (c) => c.tool("lasso"), w: (c) => c.tool("wand"), x: (c) => c.tool("move"), h: (c) => c.mirror(), t: (c) => c.tile(), Delete: (c) => c.erase(), Backspace: (c) => c.erase(), "[": (c) => c.brush(-1), "]": (c) => c.brush(1),
  "+": (c) => c.zoom(1), "=": (c) => c.zoom(1), "-": (c) => c.zoom(-1), 0: (c) => c.zoom(0), g: (c) => c.grid(), n: (c) => c.next(1), i: (c) => c.pick(), o: (c) => c.open(), "?": (c) => c.keys(),
};

/** @type {Record<string, [number, number]>} */
export const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Move the cursor over the active canvas; return true if the key was used. @param {KeyboardEvent} event @param {State} state @param {Commands} commands */
function move(event, state, commands) {
  const { canvas } = state;
  if (!canvas) return false;
  const from = state.hover?.pixel ?? state.heldPixel?.pixel ?? 0;
  if (event.key === "Enter") {
    commands.press(from);
    return true;
  }
  const arrow = ARROWS[event.key];
  if (!arrow) return false;
  const first = state.hover === null && state.heldPixel === null;
  const row = Math.floor(from / canvas.width) + (first ? 0 : arrow[0]);
  const column = (from % canvas.width) + (first ? 0 : arrow[1]);
  const inside = row >= 0 && column >= 0 && row < canvas.height && column < canvas.width;
  if (!inside) return true;
  const pixel = row * canvas.width + column;
  commands.moveTo(pixel);
  if (event.shiftKey && state.tool !== "inspect") commands.press(pixel);
  return true;
}
