// The networks that are tried, and which path has to be reached in each. This is the one table of expectations.
import { Witness } from '../../web/e2e/stack/desktop.mjs';
import { sleep, until } from '../../web/e2e/stack/processes.mjs';

/** Milliseconds of the cut that is waited for. Ten minutes of it are played by virtual time in the state machines' tests. */
const CUT_MS = 10_000;

const home = (nat, firewall) => ({ nat, firewall });

/** Where the better path is a matter of measurement. */
export const ANY = 'any';

/** `browserTurn: false`: the browser has no relayed addresses, so that the applet's own must do. */
export const SCENARIOS = [
  { name: 'open LAN', path: 'direct_udp' },
  { name: 'far server, near partners', path: 'direct_udp', shape: { server: 'delay=100ms' } },
  { name: 'both behind NAT', path: 'direct_udp', topology: { technician: home('steady'), end_user: home('steady') } },
  { name: 'both behind symmetric NAT', path: 'relayed_udp', topology: { technician: home('symmetric'), end_user: home('symmetric') } },
  { name: 'both behind symmetric NAT, browser without TURN', path: 'relayed_udp', browserTurn: false, topology: { technician: home('symmetric'), end_user: home('symmetric') } },
  { name: 'LAN without UDP', path: 'direct_tcp', topology: { technician: home(undefined, 'no_udp'), end_user: home(undefined, 'no_udp') } },
  { name: 'both behind NAT, technician without UDP', path: 'relayed_udp', topology: { technician: home('steady', 'no_udp'), end_user: home('steady') } },
  { name: 'both behind NAT without UDP', path: 'relay', topology: { technician: home('steady', 'no_udp'), end_user: home('steady', 'no_udp') } },
  { name: 'only TCP 443', path: 'relay', topology: { technician: home('steady', 'only_https'), end_user: home('steady', 'only_https') } },
  { name: 'IPv6 only', path: 'direct_udp', topology: { family: 6 } },
  { name: '5 % loss', path: 'direct_udp', shape: { end_user: 'loss=5% delay=10ms' } },
  { name: '20 % loss', path: ANY, shape: { end_user: 'loss=20% delay=10ms' } },
  { name: '300 ms', path: 'direct_udp', shape: { end_user: 'delay=150ms jitter=10ms' } },
  { name: 'end user changes address', path: 'direct_udp', patience: 60_000, during: ({ lab }) => lab.move('end_user', 31) },
  { name: 'technician changes address', path: 'direct_udp', patience: 60_000, during: ({ lab }) => lab.move('technician', 21) },
  {
    name: 'network cut for 10 s', path: 'direct_udp', patience: 60_000, lasts: CUT_MS,
    during: async ({ lab, technician, applet, desktop }) => {
      const witness = await Witness.open(desktop);
      const seen = (wanted) => witness.events().some(({ kind, keysym }) => kind === wanted && keysym === 'Shift_L');
      await technician.clickAt(witness.place.x + 60, witness.place.y + 60);
      await technician.page.keyboard.down('Shift');
      await until('the key that is held', () => seen('KeyPress'));
      await lab.shape('end_user', 'cut');
      await sleep(CUT_MS);
      // Eight seconds after the last thing that came, and what a busy machine takes for it.
      await until('the key that nobody holds any more is let go', () => seen('KeyRelease'), 3000).catch((error) => {
        throw new Error(`${error.message}; events: ${JSON.stringify(witness.events().slice(-6))}; the applet says: ${applet.program.written().slice(-3000)}`);
      });
      await lab.shape('end_user');
      await technician.page.keyboard.up('Shift');
      await witness.close();
    },
  },
];
