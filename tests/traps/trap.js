// Preloaded by every Node of a trapped synth: no network, and the clock stands at TRAP_CLOCK.
const dgram = require('dgram');
const dns = require('dns');
const fs = require('fs');
const net = require('net');

const refuse = (name) => () => {
  fs.writeSync(2, `network attempt: ${name}\n`);
  process.exit(9);
};
net.Socket.prototype.connect = refuse('net.Socket.connect');
dgram.Socket.prototype.send = refuse('dgram.Socket.send');
for (const owner of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
  for (const name of Object.getOwnPropertyNames(owner)) {
    if (/^(lookup|resolve|reverse)/.test(name)) owner[name] = refuse(`dns.${name}`);
  }
}

const now = Number(process.env.TRAP_CLOCK) * 1000;
globalThis.Date = new Proxy(Date, {
  apply: (real) => new real(now).toString(),
  construct: (real, given, target) => Reflect.construct(real, given.length ? given : [now], target),
  get: (real, name) => (name === 'now' ? () => now : Reflect.get(real, name)),
});
