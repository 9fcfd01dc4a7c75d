// Fill an HTML canvas pixel by pixel; the style sheet enlarges it.

/**
 * Fill a canvas by row and column; pixels for which `colour` returns null stay clear.
 * @param {HTMLCanvasElement} element @param {number} height @param {number} width
 * @param {(row: number, column: number) => number[] | null} colour
 */
export function fill(element, height, width, colour) {
  if (element.width !== width) element.width = width;
  if (element.height !== height) element.height = height;
  const context = element.getContext("2d");
  if (!context) return;
  const picture = context.createImageData(width, height);
  for (let row = 0, to = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 4) {
      const result = colour(row, column);
      if (!result) continue;
      for (let k = 0; k < 3; k++) picture.data[to + k] = result[k];
      picture.data[to + 3] = result[3] ?? 255;
    }
  context.putImageData(picture, 0, 0);
}
