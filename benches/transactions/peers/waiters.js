// What the peers on Node.js share that are written by hand: mqtt.js, and a map of requests that wait for their reply.

import { randomUUID } from 'node:crypto';
import mqtt from 'mqtt';

const TIMEOUT_MS = 10_000;

export async function connect(mqttPort, base) {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqttPort}`);
  client.stream.setNoDelay(true);
  const waiters = new Map();
  client.on('message', (_topic, payload) => {
    const reply = JSON.parse(payload);
    const waiter = waiters.get(reply.id);
    if (waiter === undefined) return;
    waiters.delete(reply.id);
    clearTimeout(waiter.timer);
    waiter.resolve(reply.value);
  });
  await client.subscribeAsync(`${base}/tres`);
  const treq = `${base}/treq`;
  return (value) =>
    new Promise((resolve, reject) => {
      const id = randomUUID();
      const timer = setTimeout(() => {
        waiters.delete(id);
        reject(new Error('no reply'));
      }, TIMEOUT_MS);
      waiters.set(id, { resolve, timer });
      client.publish(treq, JSON.stringify({ id, timestamp: Date.now(), value }));
    });
}

export function args() {
  const [port, mqttPort, base, folder] = process.argv.slice(2);
  return { port: Number(port), mqttPort: Number(mqttPort), base, folder };
}
