// Makes the box show itself to whoever stands before the rack: a light that blinks, a line on its screen, a beep. What
// this machine does not have is not claimed.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../base/time.ts";

const LIGHTS = "/sys/class/leds";
/** A light by these names is there to be seen; others tell of a disk or a keyboard. */
const SEEN = ["locate", "identify", "status", "act", "led0", "power", "pwr", "user"];
const SCREENS = ["/dev/tty1", "/dev/ttyS0", "/dev/ttyAMA0"];
const SHOWN_FOR = seconds(30);

export interface Located {
  /** In plain words, what shows the box now. Empty: nothing here can. */
  readonly shown: readonly string[];
}

let running: NodeJS.Timeout | undefined;

/** `words`: how people name the box. */
export function locateBox(words: string, lights = LIGHTS, screens: readonly string[] = SCREENS): Located {
  const light = blink(lights);
  const screen = screens.filter((device) => write(device, `\r\n*** This is the box ${words} ***\u0007\r\n`));
  return {
    shown: [
      ...(light === undefined ? [] : [`its light "${light}" blinks for ${SHOWN_FOR / 1_000} seconds`]),
      ...(screen.length === 0 ? [] : [`a line and a beep went to ${screen.join(" and ")}`]),
    ],
  };
}

/** The name of the light, if one could be made to blink. */
function blink(lights: string): string | undefined {
  const light = lightsOf(lights).find((name) => writable(join(lights, name, "trigger")));
  if (light === undefined) return undefined;
  const trigger = join(lights, light, "trigger");
  // The one in force stands in brackets.
  const before = /\[([^\]]+)\]/.exec(readFileSync(trigger, "latin1"))?.[1] ?? "none";
  if (!write(trigger, "timer")) return undefined;
  write(join(lights, light, "delay_on"), "100");
  write(join(lights, light, "delay_off"), "100");
  if (running === undefined) {
    running = setTimeout(() => {
      running = undefined;
      write(trigger, before === "timer" ? "none" : before);
    }, SHOWN_FOR);
  }
  return light;
}

function lightsOf(lights: string): string[] {
  try {
    const found = readdirSync(lights).filter((name) => SEEN.some((word) => name.toLowerCase().includes(word)));
    return found.sort((a, b) => rank(a) - rank(b));
  } catch {
    return []; // this machine has none
  }
}
const rank = (name: string): number => SEEN.findIndex((word) => name.toLowerCase().includes(word));

function writable(path: string): boolean {
  try {
    return readFileSync(path, "latin1") !== "";
  } catch {
    return false;
  }
}

function write(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "r+" }); // a device that is not there is not made
    return true;
  } catch {
    return false; // it is not there, or not this user's
  }
}
