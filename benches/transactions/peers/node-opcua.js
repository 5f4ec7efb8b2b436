// node-opcua + mqtt.js: `node node-opcua.js OPCUA-PORT MQTT-PORT BASE FOLDER`

import {
  DataType, DataValue, MessageSecurityMode, OPCUACertificateManager, OPCUAServer, SecurityPolicy, StatusCodes, Variant,
} from 'node-opcua';
import { args, connect } from './waiters.js';

const { port, mqttPort, base, folder } = args();
const ask = await connect(mqttPort, base);
const server = new OPCUAServer({
  port,
  host: '127.0.0.1',
  alternateHostname: '127.0.0.1',
  serverCertificateManager: new OPCUACertificateManager({ rootFolder: folder }),
  securityPolicies: [SecurityPolicy.None],
  securityModes: [MessageSecurityMode.None],
  allowAnonymous: true,
  disableDiscovery: true,
  maxConnectionsPerEndpoint: 200,
  serverCapabilities: { maxSessions: 200 },
});
await server.initialize();
const { addressSpace } = server.engine;
const order = addressSpace.getOwnNamespace().addVariable({
  organizedBy: addressSpace.rootFolder.objects,
  browseName: 'order',
  nodeId: 'ns=1;s=order',
  dataType: 'Double',
  minimumSamplingInterval: 0,
});
let current = new DataValue({ value: new Variant({ dataType: DataType.Double, value: 0 }), sourceTimestamp: new Date() });
order.bindVariable({
  timestamped_get: () => current,
  async timestamped_set(written) {
    try {
      await ask(written.value.value);
      current = written;
      return StatusCodes.Good;
    } catch {
      return StatusCodes.BadTimeout;
    }
  },
});
await server.start();
