// A box that may open no more files and connections: whoever comes then waits or is turned away, and the phones it has are served.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { suite, test } from "node:test";
import { PATIENCE, until } from "../../lab/until.ts";
import { addSubscriber, assertNoTrace, atEnd, logOf, servingBox, SIP_PORT, skipWithoutBox, succeed } from "../../support/built-ring.ts";
import { phonesWork } from "../../support/phone.ts";

const MOST = 128;
const CONNECTIONS = 400;
const prlimit = (...parameters: readonly string[]) => spawnSync("prlimit", parameters, { encoding: "utf8" });
const skip = skipWithoutBox || (prlimit("--version").error === undefined ? false : "prlimit is not installed");

suite("a box without a free file descriptor", { skip, timeout: 900_000 }, () => {
  test("goes on calling its phones and taking subscribers, and takes connections again when there is room", async (t) => {
    const { box } = await servingBox(t, ["--open-registration"]);
    const pid = String(box.pid);
    succeed(prlimit("--pid", pid, `--nofile=${MOST}:${MOST}`));
    const sockets: Socket[] = [];
    atEnd(t, () => {
      for (const socket of sockets) socket.destroy();
    });
    for (let i = 0; i < CONNECTIONS; i++) {
      const socket = connect(SIP_PORT, box.address);
      socket.on("error", () => undefined); // turned away
      sockets.push(socket);
    }
    await until("every descriptor is taken", PATIENCE, () => assert.ok(readdirSync(`/proc/${pid}/fd`).length >= MOST - 2, `${readdirSync(`/proc/${pid}/fd`).length}`));
    await phonesWork(t, box, ["100", "101"]);
    for (const socket of sockets) socket.destroy();
    await until("there is room again", PATIENCE, () => assert.ok(readdirSync(`/proc/${pid}/fd`).length < MOST / 2));
    const late = connect(SIP_PORT, box.address);
    sockets.push(late);
    await once(late, "connect");
    late.write("\r\n\r\n");
    assert.equal(String(await once(late, "data")), "\r\n", "a keep-alive is answered (RFC 5626 section 3.5.1)");
    succeed(addSubscriber(box, "after"));
    assertNoTrace(logOf(box));
  });
});
