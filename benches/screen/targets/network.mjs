// Belay through an emulated network (tests/nat): server, technician and end user on hosts of their own, the end user's cable shaped.
// Everything else is as in belay.mjs.
import { Lab } from '../../../tests/nat/lab.mjs';
import { LabServer, TESS, appletIn, invite, technicianIn } from '../../../tests/nat/stack.mjs';
import { PROGRAM } from '../../../web/e2e/stack/browser.mjs';
import { Program } from '../../../web/e2e/stack/processes.mjs';

export { connect, control, disconnect, first, open, surface } from './belay.mjs';

/** The networks: what is done to the end user's cable in each direction, and the round trip that this makes. */
export const NETWORKS = {
  clean: { title: 'clean', shape: '', round_trip_ms: 0 },
  loss: { title: '80 ms, 2 % loss each way', shape: 'delay=40ms loss=2%', round_trip_ms: 80 },
  slow: { title: '80 ms, 500 kbit/s each way', shape: 'delay=40ms rate=500kbit', round_trip_ms: 80 },
  thin: { title: '200 ms, 200 kbit/s each way', shape: 'delay=100ms rate=200kbit', round_trip_ms: 200 },
};

/** A question may come this much later than on the loopback. */
const LATE_MS = 1500;

export async function prepare(bench) {
  const { shape } = NETWORKS[bench.network];
  const lab = await Lab.open(bench.folder);
  const server = await LabServer.open(lab);
  const { chromium, technician } = await technicianIn(lab, server);
  const { session, file } = await invite({ lab, server, chromium, technician });
  const display = { DISPLAY: bench.desk.display, LC_ALL: undefined };
  const desktop = {
    folder: bench.folder,
    start: (command, args, env) => new Program(command, command, args, { log: `${bench.folder}/applet.log`, env: { ...display, ...env } }),
  };
  await lab.shape('end_user', shape);
  const applet = appletIn(lab, desktop, file);
  await technician.waitForState(session.id, 'waiting', 30_000);
  await chromium.stop();
  bench.late = LATE_MS;
  bench.browser = { program: lab.script('technician', PROGRAM), reachable: [lab.addresses.server] };
  bench.demo = { url: `${server.url}/console/`, technician: TESS };
  Object.assign(bench.roles, { agent: [applet.program.pid], server: [server.program.pid] });
  await bench.desk.focus();
}

/** The path that is used now. */
export function path(bench) {
  return bench.console.page.locator('[data-testid="path"]').getAttribute('data-path');
}
