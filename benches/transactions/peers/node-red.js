// The Node-RED flow that its users publish for this: http in, function, mqtt out; mqtt in, function, http response.
// `node node-red.js HTTP-PORT MQTT-PORT BASE USER-FOLDER`

import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [httpPort, mqttPort, base, userDir] = process.argv.slice(2);

const ask = `
const waiters = flow.get('waiters') || new Map();
const id = crypto.randomUUID();
waiters.set(id, { message: msg, timer: setTimeout(() => {
  waiters.delete(id);
  msg.statusCode = 500;
  msg.payload = { error: { code: 500, message: 'no reply' } };
  node.send([null, msg]);
}, 10000) });
flow.set('waiters', waiters);
return [{ payload: JSON.stringify({ id, timestamp: Date.now(), value: msg.payload }) }, null];
`;
const answer = `
const waiters = flow.get('waiters');
const waiter = waiters && waiters.get(msg.payload.id);
if (!waiter) return null;
waiters.delete(msg.payload.id);
clearTimeout(waiter.timer);
waiter.message.payload = msg.payload.value;
return waiter.message;
`;
const flows = [
  { id: 'tab', type: 'tab', label: 'order' },
  {
    id: 'broker', type: 'mqtt-broker', broker: '127.0.0.1', port: mqttPort, protocolVersion: '4',
    keepalive: '60', cleansession: true, autoConnect: true,
  },
  { id: 'http', z: 'tab', type: 'http in', url: '/data/order', method: 'post', wires: [['ask']] },
  {
    id: 'ask', z: 'tab', type: 'function', func: ask, outputs: 2, wires: [['treq'], ['response']],
    libs: [{ var: 'crypto', module: 'crypto' }],
  },
  { id: 'treq', z: 'tab', type: 'mqtt out', topic: `${base}/treq`, qos: '0', retain: 'false', broker: 'broker', wires: [] },
  {
    id: 'tres', z: 'tab', type: 'mqtt in', topic: `${base}/tres`, qos: '0', datatype: 'json', broker: 'broker',
    inputs: 0, wires: [['answer']],
  },
  { id: 'answer', z: 'tab', type: 'function', func: answer, outputs: 1, wires: [['response']] },
  { id: 'response', z: 'tab', type: 'http response', wires: [] },
];
writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flows));
const settings = {
  flowFile: 'flows.json', uiHost: '127.0.0.1', uiPort: Number(httpPort), httpAdminRoot: false, httpNodeRoot: '/',
  credentialSecret: false, functionExternalModules: true, logging: { console: { level: 'warn' } },
};
writeFileSync(join(userDir, 'settings.cjs'), `module.exports = ${JSON.stringify(settings)};`);

process.argv.splice(2, process.argv.length, '--userDir', userDir, '--settings', join(userDir, 'settings.cjs'));
createRequire(import.meta.url)('node-red/red.js');
