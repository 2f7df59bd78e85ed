// A LAN of virtual machines: a switch in this process, whose cables are UDP sockets of the loopback, a frame in each
// datagram; and on it a router, an emulator without a machine, which gives addresses by DHCP and leads some of our ports in.
//
// A hub would not do: the router's TCP answers every segment that it sees, whoever it is for, and two machines that talk
// to each other would hear it deny their connections.

import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

const HOST = "127.0.0.1";
/** Frames may come faster than this process gets to them; octets. */
const BUFFER = 4 * 1_048_576;
const ADDRESS_OCTETS = 6;

export class VirtualLan {
  readonly #switch = createSocket("udp4");
  /** The ends of the cables. */
  readonly #ports = new Set<number>();
  /** Behind which cable an Ethernet address was seen. */
  readonly #seen = new Map<string, number>();
  #router: ChildProcess | undefined;
  #machines = 0;

  /** `sipPorts`: of this machine; the first leads to the machine that asked for an address first. */
  async start(sipPorts: readonly number[]): Promise<void> {
    await listen(this.#switch);
    this.#switch.setRecvBufferSize(BUFFER);
    this.#switch.on("message", (frame, { port }) => this.#pass(frame, port));
    const forwards = sipPorts.map((port, index) => `hostfwd=tcp:${HOST}:${port}-10.0.2.${15 + index}:5060`);
    this.#router = spawn("qemu-system-x86_64", ["-machine", "none", "-display", "none", "-nodefaults", "-monitor", "none",
      "-netdev", ["user,id=out,restrict=on", ...forwards].join(","), "-netdev", "hubport,id=a,hubid=0,netdev=out",
      "-netdev", await this.#plug(), "-netdev", "hubport,id=b,hubid=0,netdev=lan",
    ], { stdio: "ignore" });
  }

  /** The cable of one more machine. */
  async cable(): Promise<readonly string[]> {
    this.#machines += 1;
    const address = `52:54:00:72:69:${this.#machines.toString(16).padStart(2, "0")}`;
    return ["-netdev", await this.#plug(), "-device", `virtio-net-pci,netdev=lan,romfile=,mac=${address}`];
  }

  stop(): void {
    this.#router?.kill("SIGKILL");
    this.#switch.close();
  }

  async #plug(): Promise<string> {
    const port = await freePort();
    this.#ports.add(port);
    return `socket,id=lan,udp=${HOST}:${this.#switch.address().port},localaddr=${HOST}:${port}`;
  }

  /** To the cable that its destination was seen behind; to all others if it was seen nowhere, or is a group. */
  #pass(frame: Buffer, from: number): void {
    if (!this.#ports.has(from) || frame.length < 2 * ADDRESS_OCTETS) return;
    this.#seen.set(frame.toString("hex", ADDRESS_OCTETS, 2 * ADDRESS_OCTETS), from);
    const to = this.#seen.get(frame.toString("hex", 0, ADDRESS_OCTETS));
    // A machine that is not there any more: nothing listens, and nobody minds.
    for (const port of to === undefined ? this.#ports : [to]) if (port !== from) this.#switch.send(frame, port, HOST, () => undefined);
  }
}

async function listen(socket: Socket): Promise<void> {
  socket.bind(0, HOST);
  await once(socket, "listening");
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await listen(socket);
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}
