/** Ends a command that did what it was asked for, and found something: nothing is said beside it. */
export class Finding extends Error {
  override readonly name = "Finding";
  /** 3: a warning. 4: an alarm. */
  readonly exitStatus: 3 | 4;

  constructor(exitStatus: 3 | 4) {
    super("something was found");
    this.exitStatus = exitStatus;
  }
}

/** Ends a command with one line for its user. */
export class CliError extends Error {
  override readonly name = "CliError";
  /** 1: it did not work. 2: it was asked for wrongly. */
  readonly exitStatus: 1 | 2;

  constructor(message: string, exitStatus: 1 | 2 = 1) {
    super(message);
    this.exitStatus = exitStatus;
  }
}
