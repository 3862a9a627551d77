// Step 1: the server starts on nothing but a directory, and says in one sentence why it does not.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { stack } from './stack.mjs';
import { must, run } from './stack/processes.mjs';
import { BELAY, Server } from './stack/server.mjs';

/** One sentence for people: short, no stack, no debug syntax. */
function saysWhatAndMend(text, pattern) {
  assert.match(text, pattern);
  assert.doesNotMatch(text, /panicked|backtrace|Error \{|Os \{/);
}

test('the store is one directory that only its user can read, and no file of it is plain SQLite', async () => {
  const { server } = await stack();
  assert.equal(statSync(server.data).mode & 0o077, 0, 'the data directory is open to others');
  const files = server.files();
  assert.ok(files.some(({ path }) => path.endsWith('system.db')), 'system.db is there');
  assert.ok(files.filter(({ path }) => path.endsWith('.db')).length >= 3, 'system.db and one file for each of two accounts');
  const key = files.find(({ path }) => path.endsWith('root.key'));
  assert.equal(statSync(key.path).mode & 0o077, 0, 'the root key is open to others');
  for (const { path, bytes } of files) {
    assert.ok(!bytes.subarray(0, 16).toString('latin1').startsWith('SQLite format'), `${path} is plain`);
  }
});

test('a self-signed server prints the fingerprint of the certificate it serves', async () => {
  const { server } = await stack();
  const served = await must('sh', ['-c', `openssl s_client -connect 127.0.0.1:${server.port} -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256`]);
  const fingerprint = served.split('=')[1].trim().replaceAll(':', '').toLowerCase();
  const printed = readFileSync(server.log, 'utf8').toLowerCase().replaceAll(':', '');
  assert.ok(printed.includes(fingerprint), `no ${fingerprint} in:\n${printed}`);
});

test('TLS 1.2 and 1.3 are served, older ones are not', async () => {
  const { server } = await stack();
  const speaks = async (version) => (await run('curl', ['-sk', '-o', '/dev/null', '--tlsv1.0', '--tls-max', version, '--ciphers', 'DEFAULT:@SECLEVEL=0', server.url])).code === 0;
  assert.ok(await speaks('1.3'));
  assert.ok(await speaks('1.2'));
  assert.ok(!(await speaks('1.1')), 'TLS 1.1 is served');
});

test('what cannot work ends the start with one sentence', async (t) => {
  const { folder } = await stack();
  const server = await Server.prepare(join(folder, 'refusing'));
  await server.account({ name: 'Example GmbH', id: 'tess@example.com', owner: 'Tess Example', password: 'blue-Kettle-41-window' });

  await t.test('an unknown key', async () => {
    server.write({ top: 'sign_of_seconds = 600' });
    const { code, text } = await server.refuses();
    assert.equal(code, 1);
    saysWhatAndMend(text, /sign_of_seconds.*sign_off_seconds/s);
    server.write();
  });
  await t.test('an unknown environment variable', async () => {
    const { code, text } = await server.refuses({ BELAY_LISTEM: '127.0.0.1:1' });
    assert.equal(code, 1);
    saysWhatAndMend(text, /listem.*listen/is);
  });
  await t.test('a taken port', async () => {
    const squatter = createServer().listen(server.port, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    const { code, text } = await server.refuses();
    squatter.close();
    assert.equal(code, 1);
    saysWhatAndMend(text, new RegExp(`${server.port}`));
  });
  await t.test('a wrong root key', async () => {
    const key = join(server.data, 'root.key');
    const right = readFileSync(key);
    writeFileSync(key, Buffer.from(right.toString('latin1').replace(/[0-9a-f]/g, (digit) => (15 - parseInt(digit, 16)).toString(16))));
    const { code, text } = await server.refuses();
    writeFileSync(key, right);
    assert.equal(code, 1);
    saysWhatAndMend(text, /root key/i);
  });
  await t.test('an unreadable store', async () => {
    const store = join(server.data, 'system.db');
    renameSync(store, `${store}.away`);
    writeFileSync(store, 'this is no store');
    chmodSync(store, 0o600);
    const { code, text } = await server.refuses();
    renameSync(`${store}.away`, store);
    assert.equal(code, 1);
    saysWhatAndMend(text, /store|system\.db/i);
  });
  await t.test('and with everything right it passes --check', async () => {
    const { code, err } = await run(BELAY, ['serve', '--check', '--config', server.config]);
    assert.equal(code, 0, err);
  });
});

test('a password on the command line is not an option', async () => {
  const { out } = await run(BELAY, ['account', 'create', '--help']);
  assert.match(out, /--password-stdin/);
  assert.doesNotMatch(out, /--password[ =]/);
});

test('a second account with a sign-in id in use is refused, and says so', async () => {
  const { server } = await stack();
  const words = ['account', 'create', '--config', server.config, '--name', 'Copy', '--owner', 'tess@example.com', '--owner-name', 'X', '--password-stdin'];
  const { code, err } = await run(BELAY, words, { input: 'another-Kettle-52-door\n' });
  assert.equal(code, 1);
  saysWhatAndMend(err, /tess@example\.com/);
});
