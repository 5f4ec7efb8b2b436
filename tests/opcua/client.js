// An OPC UA client on node-opcua that is told what to do line by line, and tells line by line what became of it.
//
// `node client.js PACKAGES OWN`: the folder with the `node_modules` that `package.json` asks for, and one to keep a key pair
// in. Lines are as those of `client.py`: an `id` and a task in, the `id` with `ms` and either `result` or `error` out. All
// tasks run at once. Integers beyond 2^53 are exact in both directions.

import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

// The library tells its user of odd things on the output, which is for answers.
console.log = console.error;

const [packages, ownFolder] = process.argv.slice(2);
const load = createRequire(join(packages, 'client.js'));
const {
  AttributeIds, BrowseDirection, CallRequest, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy, TimestampsToReturn,
  Variant, VariantArrayType, WriteRequest,
} = load('node-opcua-client');
const { OPCUACertificateManager } = load('node-opcua-certificate-manager');

const EVERY_DIAGNOSTIC = 0x3ff;
const TIMEOUT_MS = 120_000;

/** What a scalar of a type is in this library, from what a task says; those that are left out are the same in both. */
const FROM_JSON = {
  [DataType.ByteString]: (value) => Buffer.from(value, 'base64'),
  [DataType.DateTime]: (value) => new Date(value),
  [DataType.Double]: Number,
  [DataType.Int64]: halves,
  [DataType.UInt64]: halves,
};

/** The other way round. */
const TO_JSON = {
  [DataType.ByteString]: (value) => value.toString('base64'),
  [DataType.Int64]: (value) => exact(BigInt.asIntN(64, whole(value))),
  [DataType.UInt64]: (value) => exact(whole(value)),
};

/** The library keeps an integer of 64 bits as two of 32. */
function halves(value) {
  const bits = BigInt.asUintN(64, BigInt(value));
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

function whole([high, low]) {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function exact(integer) {
  return JSON.rawJSON(integer.toString());
}

/** JSON of what [`parse`] and [`json`] make, to be compared. */
function text(value) {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? exact(part) : part));
}

/** JSON whose integers are BigInt where a number would round them. */
function parse(line) {
  return JSON.parse(line, (_key, value, { source }) =>
    typeof value === 'number' && /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? BigInt(source) : value);
}

/** A value from `[type, value]`; a list is an array. */
function variant([kind, value]) {
  const dataType = DataType[kind];
  const convert = (scalar) => (scalar === null ? null : (FROM_JSON[dataType]?.(scalar) ?? scalar));
  return Array.isArray(value)
    ? new Variant({ dataType, arrayType: VariantArrayType.Array, value: value.map(convert) })
    : new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: convert(value) });
}

function json({ dataType, arrayType, value }) {
  const convert = (scalar) => (scalar === null ? null : (TO_JSON[dataType]?.(scalar) ?? scalar));
  return arrayType === VariantArrayType.Scalar || value === null ? convert(value) : Array.from(value, convert);
}

/** One connection with its session. */
class Session {
  constructor(session) {
    this.session = session;
    this.told = new Map();
    this.changes = new EventEmitter();
  }

  /** Sends a request that asks for diagnostics, which the methods of the library do not. */
  send(request, { timeout = 60 }) {
    request.requestHeader.returnDiagnostics = EVERY_DIAGNOSTIC;
    request.requestHeader.timeoutHint = timeout * 1000;
    return new Promise((resolve, reject) => {
      this.session.performMessageTransaction(request, (error, response) => (error ? reject(error) : resolve(response)));
    });
  }

  async write(task) {
    const attributeId = AttributeIds.Value;
    const nodesToWrite = task.nodes.map((nodeId) => ({ nodeId, attributeId, value: { value: variant(task.value) } }));
    const answer = await this.send(new WriteRequest({ nodesToWrite }), task);
    return outcome(answer.results, answer.diagnosticInfos);
  }

  async call(task) {
    const methodsToCall = [
      { objectId: task.object, methodId: task.method, inputArguments: task.arguments.map(variant) },
    ];
    const answer = await this.send(new CallRequest({ methodsToCall }), task);
    const [result] = answer.results;
    return {
      ...outcome([result.statusCode], answer.diagnosticInfos),
      outputs: (result.outputArguments ?? []).map(json),
      arguments: (result.inputArgumentResults ?? []).map((code) => code.name),
    };
  }

  async read(task) {
    const { value, statusCode } = await this.session.read({ nodeId: task.node, attributeId: AttributeIds.Value });
    return { value: json(value), status: statusCode.name };
  }

  async browse(task) {
    const { references } = await this.session.browse({
      nodeId: task.node, referenceTypeId: 'HierarchicalReferences', includeSubtypes: true,
      browseDirection: BrowseDirection.Forward, resultMask: 0x3f,
    });
    return references.map((reference) => reference.nodeId.toString());
  }

  /** Monitors a node; its first value, once that is told. */
  async monitor(task) {
    const subscription = await this.session.createSubscription2({
      requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
      maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 0,
    });
    const item = await subscription.monitor(
      { nodeId: task.node, attributeId: AttributeIds.Value },
      { samplingInterval: 0, queueSize: 100, discardOldest: true },
      TimestampsToReturn.Both,
    );
    const values = [];
    this.told.set(task.node, values);
    item.on('changed', ({ value }) => {
      values.push(json(value));
      this.changes.emit('change');
    });
    await this.change(() => values.length > 0);
    return values[0];
  }

  /** All that was told of a monitored node, once the last is `until`. */
  async follow(task) {
    const values = this.told.get(task.node);
    await this.change(() => text(values.at(-1)) === text(task.until));
    return values;
  }

  /** Waits for a change after which the condition holds. */
  async change(holds) {
    while (!holds()) await once(this.changes, 'change');
  }
}

function outcome(codes, diagnostics) {
  return {
    codes: codes.map((code) => code.name),
    texts: (diagnostics ?? []).map((diagnostic) => diagnostic?.additionalInfo ?? null),
  };
}

const sessions = new Map();

const ACTIONS = {
  /**
   * Opens a session: `policy` and `mode` by their names in the specification, else without protection; `user` with
   * `password`, else without a name; `folder` for its key pair, which is made where there is none, and for the
   * certificates that it trusts, of which `server` is a file with one more.
   */
  async connect(task) {
    const { policy = 'None', mode = 'None', folder = ownFolder } = task;
    const certificates = new OPCUACertificateManager({ rootFolder: folder, disableFileWatchers: true });
    await certificates.initialize();
    if (task.server) await certificates.trustCertificate(readFileSync(task.server));
    const client = OPCUAClient.create({
      applicationName: 'syncline-tests',
      clientCertificateManager: certificates,
      securityPolicy: SecurityPolicy[policy],
      securityMode: MessageSecurityMode[mode],
      connectionStrategy: { maxRetry: 0 },
      requestedSessionTimeout: TIMEOUT_MS,
      transportTimeout: TIMEOUT_MS,
      defaultTransactionTimeout: TIMEOUT_MS,
    });
    await client.connect(task.url);
    try {
      const user = task.user === undefined ? undefined : { userName: task.user, password: task.password };
      sessions.set(task.session, new Session(await client.createSession(user)));
    } catch (error) {
      await client.disconnect();
      throw error;
    }
    return 'connected';
  },
};

/** The name of the status code that an error stands for, else its own. */
function nameOf(error) {
  return error.response?.responseHeader.serviceResult.name ?? /\bBad[A-Z]\w+/.exec(error.message)?.[0] ?? error.name;
}

async function run(task) {
  const begun = performance.now();
  const answer = { id: task.id };
  try {
    answer.result = await (ACTIONS[task.do]?.(task) ?? sessions.get(task.session)[task.do](task));
  } catch (error) {
    answer.error = nameOf(error);
    answer.text = error.message;
  }
  answer.ms = performance.now() - begun;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

createInterface({ input: process.stdin }).on('line', (line) => run(parse(line))).on('close', () => process.exit());
