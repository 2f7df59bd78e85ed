// Other people's programs: Kamailio serves a domain outside, and calls cross the border both ways; a phone made with Net::SIP and Twinkle
// register, call and are called.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { account, DOMAIN, type Lab, labTest } from "./lab.ts";
import { Baresip } from "./phones/baresip.ts";
import { Kamailio, type KamailioRules } from "./phones/kamailio.ts";
import { Twinkle } from "./phones/twinkle.ts";
import { Transcript } from "./transcript.ts";
import { PATIENCE } from "./until.ts";

/** Registers whom it is asked to, and routes: its own address is its domain, and whoever is of ours is sent to a box. */
const serverOfADomain = (box: string): KamailioRules => ({
  modules: ["usrloc", "registrar"],
  route: `
  if (is_method("REGISTER")) { save("location"); exit; }
  remove_hf("Route");
  record_route();
  if ($rd == "${DOMAIN}") { $du = "sip:${box}:5060"; t_relay(); exit; }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();`,
});

labTest("calls go to a domain that Kamailio serves, and come from there", { boxes: 2, phones: 2, programs: ["baresip", "kamailio"] }, async (lab) => {
  await lab.start();
  const [user] = await lab.subscribe(lab.box(1), "20", 1);
  assert(user !== undefined);
  const far = lab.network.addHost("k1", 90);
  const kamailio = await Kamailio.start(far, serverOfADomain(lab.box(2).address));
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
  await kamailio.stop();
});

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

labTest("Twinkle registers with digest, calls, is called, and either side hangs up", { boxes: 2, phones: 2, programs: ["baresip", "twinkle-console"] }, async (lab) => {
  await lab.start();
  const [first, second] = await lab.subscribe(lab.box(1), "20", 2);
  assert(first !== undefined && second !== undefined);
  const baresip = await Baresip.start(lab.phoneHost(1), account(first, lab.box(1)));
  const twinkle = await Twinkle.start(lab.phoneHost(2), account(second, lab.box(2)));
  await Promise.all([baresip.register(), twinkle.register()]);

  // Twinkle writes the flow tokens of its Routes with escapes, each time it has a Z in one: several calls see some.
  for (const [caller, callee] of [[twinkle, baresip], [baresip, twinkle], [twinkle, baresip], [baresip, twinkle]] as const) {
    for (const hangsUp of [caller, callee]) {
      const outcome = await caller.call(callee.aor, PATIENCE);
      assert(outcome.answered, outcome.answered ? "" : outcome.reason);
      await Promise.all([caller.talkingWith(callee.aor), callee.talkingWith(caller.aor)]);
      await hangsUp.hangUp();
      await Promise.all([caller.idle(), callee.idle()]);
    }
  }
  const nobody = await twinkle.call(`nobody@${DOMAIN}`, PATIENCE);
  assert(!nobody.answered && /404|480/.test(nobody.reason), nobody.answered ? "answered" : nobody.reason);
  await twinkle.close();
  assert.equal((await lab.box(1).where(twinkle.aor)).bindings.length, 0, "it took its registration back");
});
