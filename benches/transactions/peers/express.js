// express + mqtt.js: `node express.js HTTP-PORT MQTT-PORT BASE`

import express from 'express';
import { args, connect } from './waiters.js';

const { port, mqttPort, base } = args();
const ask = await connect(mqttPort, base);
const app = express();
app.use(express.json());
app.post('/data/order', async (request, response) => {
  try {
    response.json(await ask(request.body));
  } catch (error) {
    response.status(500).json({ error: { code: 500, message: error.message } });
  }
});
app.listen(port, '127.0.0.1');
