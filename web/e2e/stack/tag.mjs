// The tag at the end of a downloaded applet (docs/protocol/applet-tag.md): read, and written anew with changes.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

const MAGIC = Buffer.alloc(16);
MAGIC.write('belay-tag/1', 'ascii');

/** {program, operator, session} of a downloaded file. */
export function readTag(file) {
  const bytes = readFileSync(file);
  if (!bytes.subarray(-16).equals(MAGIC)) throw new Error(`${file} has no tag`);
  const operatorLength = bytes.readUInt32BE(bytes.length - 24);
  const sessionLength = bytes.readUInt32BE(bytes.length - 20);
  const sessionAt = bytes.length - 24 - sessionLength;
  const operatorAt = sessionAt - operatorLength;
  return {
    program: bytes.subarray(0, operatorAt),
    operator: JSON.parse(bytes.subarray(operatorAt, sessionAt).toString('utf8')),
    session: JSON.parse(bytes.subarray(sessionAt, bytes.length - 24).toString('utf8')),
  };
}

/** Writes an applet with this tag as the executable `file`. */
export function writeTagged(file, { program, operator, session }) {
  const blocks = [operator, session].map((block) => Buffer.from(JSON.stringify(block), 'utf8'));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(blocks[0].length, 0);
  lengths.writeUInt32BE(blocks[1].length, 4);
  writeFileSync(file, Buffer.concat([program, ...blocks, lengths, MAGIC]));
  chmodSync(file, 0o700);
}
