// Makes zstd frames of raw blocks: enough for tests, without a compressor.

const MAX_BLOCK = 128 * 1024;

/** A zstd frame (RFC 8878) that holds these bytes uncompressed. */
export function zstdOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.max(1, Math.ceil(bytes.length / MAX_BLOCK));
  const frame = new Uint8Array(4 + 1 + 4 + blocks * 3 + bytes.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  // Single segment, content size in 4 bytes.
  frame[4] = 0xa0;
  view.setUint32(5, bytes.length, true);
  let at = 9;
  for (let block = 0; block < blocks; block += 1) {
    const content = bytes.subarray(block * MAX_BLOCK, (block + 1) * MAX_BLOCK);
    const head = (content.length << 3) | (block === blocks - 1 ? 1 : 0);
    frame.set([head & 255, (head >> 8) & 255, head >> 16], at);
    frame.set(content, at + 3);
    at += 3 + content.length;
  }
  return frame;
}
