// An OPC UA server on node-opcua: a machine to be read, written and followed, that is told line by line what happens in it.
//
// `node server.js PACKAGES OWN OPTIONS`: the folder with the `node_modules` that `package.json` asks for, one to keep a key pair in,
// and the options as one JSON object, of which `server.py` says what they are: `port`, `users` and `own`. Lines are as those of
// `server.py`. Clients need not be trusted. It ends with its input.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// The library tells its user of odd things on the output, which is for answers.
console.log = console.error;

const [packages, ownFolder, text] = process.argv.slice(2);
const options = JSON.parse(text);
const load = createRequire(join(packages, 'server.js'));
const { OPCUAServer } = load('node-opcua-server');
const { DataType, MessageSecurityMode, SecurityPolicy, StatusCodes, Variant, VariantArrayType } = load('node-opcua-client');
const { OPCUACertificateManager } = load('node-opcua-certificate-manager');

/** What each variable has at first: its type, its value, and the type that the node says where that is another one. */
const VARIABLES = {
  speed: [DataType.Double, 1.5],
  level: [DataType.Int16, 7],
  count: [DataType.Int64, [0x0020_0000, 1]],
  name: [DataType.String, 'press'],
  list: [DataType.UInt16, [1, 2]],
  any: [DataType.Float, 2.5, 'Number'],
  free: [DataType.Null, null, 'BaseDataType'],
  locked: [DataType.Int32, 1],
};

const certificates = new OPCUACertificateManager({
  rootFolder: options.own ?? ownFolder, automaticallyAcceptUnknownCertificate: true, disableFileWatchers: true,
});
const server = new OPCUAServer({
  port: options.port,
  host: '127.0.0.1',
  alternateHostname: '127.0.0.1',
  resourcePath: '/machine',
  serverCertificateManager: certificates,
  userCertificateManager: certificates,
  securityPolicies: options.own
    ? [SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss]
    : [SecurityPolicy.None],
  securityModes: options.own
    ? [MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt]
    : [MessageSecurityMode.None],
  allowAnonymous: !options.users,
  userManager: { isValidUser: (name, password) => options.users?.[name] === password },
});
await server.initialize();
const { addressSpace } = server.engine;
const namespace = addressSpace.registerNamespace('urn:plant');
const line = namespace.addFolder(addressSpace.rootFolder.objects, { browseName: 'Line', nodeId: `ns=${namespace.index};s=line` });
const variables = new Map();
for (const [name, [dataType, value, declared]] of Object.entries(VARIABLES)) {
  const isList = Array.isArray(value) && dataType !== DataType.Int64;
  const arrayType = isList ? VariantArrayType.Array : VariantArrayType.Scalar;
  const access = name === 'locked' ? 'CurrentRead' : 'CurrentRead | CurrentWrite';
  variables.set(name, namespace.addVariable({
    componentOf: line,
    browseName: name,
    nodeId: `ns=${namespace.index};s=${name}`,
    dataType: declared ?? dataType,
    valueRank: isList ? 1 : declared === 'BaseDataType' ? -2 : -1,
    accessLevel: access,
    userAccessLevel: access,
    minimumSamplingInterval: 0,
    value: new Variant({ dataType, arrayType, value }),
  }));
}

function json({ dataType, value }) {
  const plain = dataType === DataType.Int64 ? String((BigInt(value[0]) << 32n) | BigInt(value[1] >>> 0)) : value;
  return ArrayBuffer.isView(plain) ? Array.from(plain) : plain;
}

const ACTIONS = {
  get({ node }) {
    const { value } = variables.get(node).readValue();
    return [DataType[value.dataType], json(value)];
  },
  set({ node, value, at, status = 'Good' }) {
    const variable = variables.get(node);
    const { dataType, arrayType } = variable.readValue().value;
    const time = at === undefined ? new Date() : new Date(`${at}Z`);
    variable.setValueFromSource(new Variant({ dataType, arrayType, value }), StatusCodes[status], time);
    return null;
  },
  subscriptions() {
    return server.engine.currentSubscriptionCount;
  },
};

await server.start();
const answer = (id, result) => process.stdout.write(`${JSON.stringify({ id, result })}\n`);
answer(null, 'serving');
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const task = JSON.parse(line);
    answer(task.id, ACTIONS[task.do](task));
  })
  .on('close', () => process.exit());
