// Several images as one picture: a contact sheet with names, or an atlas of exact pixels.

import { visibleImage } from "./canvas_model.js";
import { html } from "../shared/dom.js";
import { drawImage } from "./draw_image.js";
import { drawTiles, tilesOf } from "./tiles.js";

const CELL = 160, GAP = 16, LINE = 22; // screen pixels of a contact sheet

/** Draw a canvas at its own size, a map by its tiles. @param {GalleryItem} item @param {boolean} clear whether white paper is transparent */
function pictureOf({ canvas }, clear) {
  const picture = html("canvas", {});
  const { details: { image }, height, width } = canvas;
  const tiles = tilesOf(image);
  if (tiles) drawTiles(picture, tiles, visibleImage(canvas), height, width);
  else drawImage(picture, image, visibleImage(canvas), height, width, { checked: false, clear });
  return picture;
}

/** Draw images enlarged, with their names. @param {GalleryItem[]} items @returns {Promise<Blob>} */
export function contactSheet(items) {
  const columns = Math.ceil(Math.sqrt(items.length));
  const rows = Math.ceil(items.length / columns);
  const sheet = html("canvas", { width: columns * (CELL + GAP) + GAP, height: rows * (CELL + LINE + GAP) + GAP });
  const context = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  context.fillStyle = "#f8f6f1";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingQuality = "high";
  context.font = "13px system-ui, sans-serif";
  context.fillStyle = "#211f26";
  items.forEach((item, i) => {
    const [left, top] = [GAP + (i % columns) * (CELL + GAP), GAP + Math.floor(i / columns) * (CELL + LINE + GAP)];
    const picture = pictureOf(item, false);
    const scale = Math.min(CELL / picture.width, CELL / picture.height);
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
    context.fillText(item.name.slice(0, 40), left, top + CELL + 15, CELL);
  });
  return toPng(sheet);
}

/** Put images side by side, pixel by pixel. @param {GalleryItem[]} items @returns {Promise<{picture: Blob, places: object[]}>} */
export async function atlas(items) {
  const columns = Math.ceil(Math.sqrt(items.length));
  const pictures = items.map((item) => pictureOf(item, true));
  const width = Math.max(...pictures.map((picture) => picture.width));
  const height = Math.max(...pictures.map((picture) => picture.height));
  const sheet = html("canvas", { width: columns * width, height: Math.ceil(items.length / columns) * height });
  const context = sheet.getContext("2d");
  const places = items.map((item, i) => {
    const [x, y] = [(i % columns) * width, Math.floor(i / columns) * height];
    context?.drawImage(pictures[i], x, y);
    return { name: item.name, x, y, width: pictures[i].width, height: pictures[i].height };
  });
  return { picture: await toPng(sheet), places };
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
const toPng = (canvas) => new Promise((resolve) => canvas.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/png"));
