"""Kamailio as a neighbour: a proxy that records its route and sends every new call to one place."""
from lib.foreign import Program, needs

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
disable_tcp=yes
dns=no
rev_dns=no
use_dns_failover=no
listen=udp:{ip}:{port}
server_header="Server: proxy-{name}.private.example"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
modparam("tm", "fr_timer", {answer_ms})
modparam("tm", "fr_inv_timer", 60000)
modparam("rr", "append_fromtag", 1)

request_route {{
	if (!mf_process_maxfwd_header("10")) {{
		sl_send_reply("483", "Too Many Hops");
		exit;
	}}
	if (is_method("CANCEL")) {{
		if (t_check_trans()) t_relay();
		exit;
	}}
	if (has_totag()) {{
		if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
		else if (!is_method("ACK")) sl_send_reply("404", "Not here");
		exit;
	}}
	t_check_trans();
	record_route();
	$du = "sip:{next_ip}:{next_port}";
	if (!t_relay()) sl_reply_error();
}}
"""


class Kamailio(Program):
    """next_hop: (address, port) to which calls go, whatever their Request-URI. answer_ms: how long a callee may say nothing."""

    def __init__(self, context, name, ip, next_hop, port=5060, answer_ms=5000):
        text = CONFIG.format(name=name, ip=ip, port=port, next_ip=next_hop[0], next_port=next_hop[1], answer_ms=answer_ms)
        program = needs("kamailio", "kamailio")
        super().__init__(context, name, ip, port, [program, "-DD", "-E", "-m", "16", "-M", "4", "-f", "kamailio.cfg", "-Y", context.dir],
                         files={"kamailio.cfg": text})
        self.secrets = {ip, f"proxy-{name}.private.example"}
        self.logged("Listening on")
