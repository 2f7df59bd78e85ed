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
