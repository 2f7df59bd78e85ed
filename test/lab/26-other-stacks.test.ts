// Other people's programs: Kamailio serves a domain outside, and calls cross the border both ways; a phone made with Net::SIP registers,
// calls and is called.

import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { account, DOMAIN, type Lab, labTest } from "./lab.ts";
import type { Host } from "./network.ts";
import { Baresip } from "./phones/baresip.ts";
import { Transcript } from "./transcript.ts";

const PATIENCE = 30;

/** Registers whom it is asked to, and routes: its own address is its domain, and whoever is of ours is sent to a box. */
const kamailioOf = (address: string, box: string): string => `#!KAMAILIO
debug=0
log_stderror=yes
children=1
listen=udp:${address}:5060
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) { loose_route(); t_relay(); exit; }
  if (is_method("REGISTER")) { save("location"); exit; }
  remove_hf("Route");
  record_route();
  if ($rd == "${DOMAIN}") { $du = "sip:${box}:5060"; t_relay(); exit; }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
`;

labTest("calls go to a domain that Kamailio serves, and come from there", { boxes: 2, phones: 2, programs: ["baresip", "kamailio"] }, async (lab) => {
  await lab.start();
  const [user] = await lab.subscribe(lab.box(1), "20", 1);
  assert(user !== undefined);
  const far = lab.network.addHost("k1", 90);
  const kamailio = await startKamailio(far, lab.box(2).address);
  const ours = await Baresip.start(lab.phoneHost(1), account(user, lab.box(1)));
  const theirs = await Baresip.start(lab.phoneHost(2), { username: "900", password: "", domain: far.address, box: far.address });
  await Promise.all([ours.register(), theirs.register()]);

  for (const [caller, callee] of [[ours, theirs], [theirs, ours]] as const) {
    const outcome = await caller.call(callee.aor, PATIENCE);
    assert(outcome.answered, outcome.answered ? "" : outcome.reason);
    await callee.talkingWith(caller.aor);
    await (caller === ours ? caller : callee).hangUp();
    await Promise.all([caller.idle(), callee.idle()]);
    lab.tell(`${caller.aor} reached ${callee.aor} in ${outcome.seconds.toFixed(1)} s; hung up by ${ours.aor}`);
  }
  const nobody = await ours.call(`901@${far.address}`, PATIENCE);
  assert(!nobody.answered && /404/.test(nobody.reason), nobody.answered ? "answered" : nobody.reason);
  kamailio.kill("SIGTERM");
});

async function startKamailio(host: Host, box: string): Promise<ChildProcess> {
  const config = join(host.directory, "kamailio.cfg");
  writeFileSync(config, kamailioOf(host.address, box));
  const program = host.start(["kamailio", "-f", config, "-DD", "-E", "-Y", host.directory, "-m", "64", "-M", "8"], "pipe");
  const said = new Transcript(program, join(host.directory, "kamailio.txt"));
  // It says on which addresses it listens once it does.
  await said.said(/Listening on/, 0, PATIENCE);
  return program;
}

const noPerlPhone = spawnSync("perl", ["-MNet::SIP", "-e", "1"]).status === 0 ? {} : { without: "Net::SIP for Perl is not installed" };

/** Net::SIP with its own dispatcher: says what happens in single words. */
const PERL_PHONE = `use strict; use warnings; use Net::SIP; $| = 1;
my ($box, $own, $domain, $user, $password, $callee) = @ARGV;
my $phone = Net::SIP::Simple->new(outgoing_proxy => "$box:5060", registrar => "$box:5060", domain => $domain, from => "sip:$user\\@$domain", auth => [$user, $password], leg => "$own:5060");
$phone->register(expires => 300) or die "not registered: " . $phone->error . "\\n";
print "registered\\n";
my ($hung, $answered);
if (defined $callee) {
  my $call = $phone->invite("sip:$callee", init_media => $phone->rtp("recv_echo"), recv_bye => \\$hung) or die "no call: " . $phone->error . "\\n";
  die "no call: " . $phone->error . "\\n" if $phone->error;
  print "talking\\n";
  my $ended;
  $call->bye(cb_final => \\$ended);
  $phone->loop(15, \\$ended);
  print $ended ? "hung up\\n" : "BYE was not answered\\n";
} else {
  $phone->listen(init_media => $phone->rtp("recv_echo"), cb_established => sub { print "answered\\n" }, recv_bye => \\$hung);
  $phone->loop(60, \\$hung);
  print $hung ? "was hung up\\n" : "nobody hung up\\n";
}
`;

labTest("a phone made with Net::SIP registers with digest, calls and is called", { boxes: 2, phones: 2, programs: ["baresip", "perl"], ...noPerlPhone }, async (lab) => {
  await lab.start();
  const [first, second] = await lab.subscribe(lab.box(1), "20", 2);
  assert(first !== undefined && second !== undefined);
  const baresip = await Baresip.start(lab.phoneHost(1), account(first, lab.box(1)));
  await baresip.register();

  const caller = await perlPhone(lab, second, baresip.aor);
  await caller.said(/talking/, 0, PATIENCE);
  await caller.said(/hung up/, 0, PATIENCE);
  await baresip.idle();

  const callee = await perlPhone(lab, second);
  const outcome = await baresip.call(`${second.username}@${DOMAIN}`, PATIENCE);
  assert(outcome.answered, outcome.answered ? "" : outcome.reason);
  await callee.said(/answered/, 0, PATIENCE);
  await baresip.hangUp();
  await callee.said(/was hung up/, 0, PATIENCE);
});

let phones = 0;
async function perlPhone(lab: Lab, { username, password }: { readonly username: string; readonly password: string }, callee?: string): Promise<Transcript> {
  const host = lab.phoneHost(2);
  phones += 1;
  const script = join(host.directory, `phone-${phones}.pl`);
  writeFileSync(script, PERL_PHONE);
  const program = host.start(["perl", script, lab.box(2).address, host.address, DOMAIN, username, password, ...(callee === undefined ? [] : [callee])], "pipe");
  const said = new Transcript(program, `${script}.txt`);
  await said.said(/registered/, 0, PATIENCE);
  return said;
}
