// Real Chromium as a TURN client of the gateway: two peer connections in one page, each with the credentials of its own leg
// and nothing but relayed candidates, talk to each other by UDP, by TCP and by TLS.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { TESS, endUser, stack, tess } from './stack.mjs';
import { Chromium } from './stack/browser.mjs';
import { Technician } from './stack/people.mjs';

let chromium;
after(() => chromium?.stop());

/** A text in the tag at the end of a downloaded applet. */
function tagged(applet, name) {
  return new RegExp(`"${name}":"([^"]+)"`).exec(applet.toString('latin1'))[1];
}

/** In the page: a leg with its credentials, added to `window.legs`. Answers its URLs. The applet's leg comes first. */
async function openLeg({ account, role, credential }) {
  const bytesOf = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
  const text = (words) => { const bytes = new TextEncoder().encode(words); return [bytes.length >> 8, bytes.length & 255, ...bytes]; };
  const secret = bytesOf(credential);
  const leg = await new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/gateway/v1`, 'belay-gateway.1');
    socket.binaryType = 'arraybuffer';
    const leg = { socket };
    socket.onopen = () => socket.send(Uint8Array.from([
      0x01, ...text('belay-gateway/1'), role, ...bytesOf(account.replaceAll('-', '')), 0, secret.length, ...secret, ...text('0'), ...text('test'),
    ]));
    socket.onclose = () => reject(new Error('the gateway closed the leg'));
    socket.onmessage = ({ data }) => {
      const view = new DataView(data);
      if (view.getUint8(0) === 0x82) reject(new Error(`refused: ${view.getUint8(1)}`));
      if (view.getUint8(0) !== 0x85) return;
      let at = 5;
      const next = () => { const size = view.getUint16(at); at += 2 + size; return new TextDecoder().decode(new Uint8Array(data, at - size, size)); };
      leg.username = next();
      leg.credential = next();
      const count = view.getUint8(at);
      at += 1;
      leg.urls = Array.from({ length: count }, next);
      resolve(leg);
    };
  });
  window.legs = [...(window.legs ?? []), leg];
  return leg.urls;
}

/** In the page: connects by the URL of this kind alone, sends messages both ways, and says by which candidates. */
async function meet(kind) {
  const peers = window.legs.map(({ urls, username, credential }) => new RTCPeerConnection({
    iceTransportPolicy: 'relay', iceServers: [{ urls: urls.filter((url) => kind.test(url)), username, credential }],
  }));
  const errors = [];
  const channels = peers.map((peer) => peer.createDataChannel('belay-link/2', { negotiated: true, id: 0, ordered: true }));
  peers.forEach((peer, which) => {
    peer.onicecandidate = ({ candidate }) => { if (candidate) peers[1 - which].addIceCandidate(candidate); };
    peer.onicecandidateerror = ({ errorCode, errorText, url }) => errors.push(`${url}: ${errorCode} ${errorText}`);
  });
  const opened = channels.map((channel) => { channel.binaryType = 'arraybuffer'; return new Promise((done) => { channel.onopen = done; }); });
  await peers[0].setLocalDescription();
  await peers[1].setRemoteDescription(peers[0].localDescription);
  await peers[1].setLocalDescription();
  await peers[0].setRemoteDescription(peers[1].localDescription);
  const late = new Promise((_, reject) => { setTimeout(() => reject(new Error(`not connected: ${errors.join('; ')}`)), 20_000); });
  await Promise.race([Promise.all(opened), late]);
  const count = 200;
  const heard = channels.map((channel) => new Promise((done) => {
    const numbers = [];
    channel.onmessage = ({ data }) => { numbers.push(new DataView(data).getUint32(0)); if (numbers.length === count) done(numbers); };
  }));
  for (let number = 0; number < count; number += 1) {
    for (const channel of channels) { const bytes = new Uint8Array(1000); new DataView(bytes.buffer).setUint32(0, number); channel.send(bytes); }
  }
  const numbers = await Promise.race([Promise.all(heard), late]);
  const pairs = await Promise.all(peers.map(async (peer) => {
    const stats = [...(await peer.getStats()).values()];
    const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
    const local = stats.find((one) => one.id === pair.localCandidateId);
    const remote = stats.find((one) => one.id === pair.remoteCandidateId);
    return { local: local.candidateType, remote: remote.candidateType, by: local.relayProtocol };
  }));
  peers.forEach((peer) => peer.close());
  return { inOrder: numbers.every((list) => list.every((number, at) => number === at)), pairs };
}

test('two peer connections of one page meet on the gateway by UDP, TCP and TLS, each with its own leg’s credentials', async (t) => {
  const { folder, server } = await stack();
  const inviting = await tess();
  const session = await inviting.newSession();
  await inviting.closeInvitation();
  const user = await endUser();
  await user.joinByPin(session.pin, 'Erika Example');
  const { file } = await user.download(folder);
  await user.page.context().close();
  const applet = readFileSync(file);

  // The certificate is of the server's own making, and TURN over TLS asks nobody whether to take it.
  chromium = await Chromium.start(['--ignore-certificate-errors']);
  const technician = new Technician(await chromium.person(), server);
  await technician.signIn(TESS);
  const account = tagged(applet, 'account');
  const urls = [await technician.page.evaluate(openLeg, { account, role: 1, credential: tagged(applet, 'session_authentication_id') })];
  // Only now the session waits to be picked up.
  const { body } = await technician.call('POST', `/sessions/${session.id}/pick-up`);
  const credential = Buffer.from(body.ticket, 'base64url').toString('hex');
  urls.push(await technician.page.evaluate(openLeg, { account, role: 2, credential }));
  for (const list of urls) assert.deepEqual(list.map((url) => url.split(':')[0]), ['stun', 'turn', 'turn', 'turns']);

  for (const [name, kind, by] of [['UDP', '^turn:.*=udp$', 'udp'], ['TCP', '^turn:.*=tcp$', 'tcp'], ['TLS', '^turns:', 'tls']]) {
    await t.test(name, async () => {
      const met = await technician.page.evaluate(`(${meet.toString()})(new RegExp(${JSON.stringify(kind)}))`);
      assert.ok(met.inOrder, 'messages are missing or out of order');
      for (const pair of met.pairs) assert.deepEqual(pair, { local: 'relay', remote: 'relay', by });
    });
  }
  await technician.call('POST', `/sessions/${session.id}/end`);
  await technician.page.context().close();
  await inviting.page.context().close();
});
