// fastify + mqtt.js: `node fastify.js HTTP-PORT MQTT-PORT BASE`

import Fastify from 'fastify';
import { args, connect } from './waiters.js';

const { port, mqttPort, base } = args();
const ask = await connect(mqttPort, base);
const app = Fastify();
app.post('/data/order', (request) => ask(request.body));
await app.listen({ port, host: '127.0.0.1' });
