// Text chunks of PNG files, and the checksum of PNG and ZIP.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** Compute the CRC-32 of some bytes. @param {Uint8Array} bytes */
export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Return the text of a PNG file under a keyword; null if it has none, or is not a PNG. @param {Blob} file @param {string} keyword */
export async function pngText(file, keyword) {
  const buffer = await file.arrayBuffer();
  const view = new DataView(buffer);
  if (buffer.byteLength < 20 || view.getUint32(0) !== 0x89504e47) return null;
  const latin = new TextDecoder("latin1");
  for (let at = 8; at + 12 <= buffer.byteLength; ) {
    const length = view.getUint32(at);
    const kind = latin.decode(buffer.slice(at + 4, at + 8));
    if (kind === "tEXt") {
      const [name, ...text] = latin.decode(buffer.slice(at + 8, at + 8 + length)).split("\0");
      if (name === keyword) return text.join("\0");
    }
    at += 12 + length;
  }
  return null;
}
