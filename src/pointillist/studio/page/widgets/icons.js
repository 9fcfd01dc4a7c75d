// Icons: lines on a grid of 20 x 20.

import { html, svg } from "../shared/dom.js";

const LINES = {
  play: "M6 4l10 6-10 6z",
  pause: "M6.5 4v12M13.5 4v12",
  back: "M13 4l-7 6 7 6",
  forward: "M7 4l7 6-7 6",
  first: "M5 4v12M16 4l-7 6 7 6",
  last: "M15 4v12M4 4l7 6-7 6",
  inspect: "M10 3v4M10 13v4M3 10h4M13 10h4",
  pencil: "M4 16l.8-3.6L13.4 3.8l2.8 2.8-8.6 8.6zM11.6 5.6l2.8 2.8",
  eraser: "M8 16h8M4.6 12.4l7.2-7.8 4.2 3.9-6.9 7.5H7.5z",
  line: "M4 16L16 4",
  rectangle: "M3.5 5.5h13v9h-13z",
  ellipse: "M10 5c4 0 7 2.200 7 5s-3 5-7 5-7-2.200-7-5 3-5 7-5z",
  bucket: "M9 3.500l6.500 6.500-5.500 5.500L3.500 9zM3.500 9h11M17 13c0 1-.5 2-1 2s-1-1-1-2 1-2.500 1-2.500 1 1.500 1 2.500z",
  select: "M4 7V4h3M9 4h2M13 4h3v3M16 9v2M16 13v3h-3M11 16H9M7 16H4v-3M4 11V9",
  lasso: "M10 4c4 0 6.500 1.800 6.500 4.200S14 12.500 10 12.500 3.500 10.700 3.500 8.200 6 4 10 4zM6.500 12c-1.500.6-1.500 2.500.3 2.700-.2 1-.8 1.500-1.800 1.800",
  wand: "M4 16l8-8M14 3v3M12.500 4.500h3M16 9v2M15 10h2M9 3v2M8 4h2",
  move: "M10 3v14M3 10h14M8 5l2-2 2 2M8 15l2 2 2-2M5 8l-2 2 2 2M15 8l2 2-2 2",
  extend: "M7 7h6v6H7zM10 5V2M10 15v3M5 10H2M15 10h3",
  tile: "M3 3h4v4H3zM8 3h4v4H8zM13 3h4v4h-4zM3 8h4v4H3zM8 8h4v4H8zM13 8h4v4h-4zM3 13h4v4H3zM8 13h4v4H8zM13 13h4v4h-4z",
  undo: "M7.5 4L4 7.5 7.5 11M4 7.5h8a4 4 0 010 8H8",
  redo: "M12.5 4L16 7.5 12.5 11M16 7.5H8a4 4 0 000 8h4",
  plus: "M10 4v12M4 10h12",
  minus: "M4 10h12",
  fit: "M4 7V4h3M13 4h3v3M16 13v3h-3M7 16H4v-3",
  grid: "M4 4h12v12H4zM4 10h12M10 4v12",
  dice: "M4.5 4.5h11v11h-11zM7.5 7.5h.01M12.5 12.5h.01M10 10h.01",
  sun: "M10 6.8a3.2 3.2 0 100 6.4 3.2 3.2 0 000-6.4zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1 1M14.7 14.7l1 1M4.3 15.7l1-1M14.7 5.3l1-1",
  moon: "M15.5 12.2A6.2 6.2 0 017.8 4.5a6.2 6.2 0 107.7 7.7z",
  auto: "M10 3.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM10 3.5v13M12 6.5h3M12 10h4.4M12 13.5h3",
  keys: "M3 6h14v9H3zM6 9h.01M9 9h.01M12 9h.01M14.5 9h.01M6.5 12h7",
  open: "M4 15.5h12M10 3.5v8.5M6.5 8.5L10 12l3.5-3.5",
  close: "M5 5l10 10M15 5L5 15",
  star: "M10 3l2.100 4.500 4.900.6-3.600 3.400.9 4.900L10 14l-4.300 2.400.9-4.900L3 8.100l4.900-.6z",
  label: "M3.500 4h6l7 7-5.500 5.500-7.500-7.500zM6.700 7.200h.01",
  reuse: "M4 9a6 6 0 0110.500-3.500L17 8M17 4v4h-4M16 11A6 6 0 015.500 14.500L3 12M3 16v-4h4",
  trash: "M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6",
};

/** @typedef {keyof typeof LINES} Icon */

/** @param {Icon} name */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" }, svg("path", { d: LINES[name] }));
}

/** Create a button with an icon alone. @param {Icon} name @param {string} title @param {() => unknown} act */
export const iconButton = (name, title, act) => html("button", { type: "button", className: "icon-only", title, "aria-label": title, onclick: () => act() }, icon(name));
