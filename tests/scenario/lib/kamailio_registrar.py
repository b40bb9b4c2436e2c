"""Kamailio as an upstream's registrar, with digest authentication; tells in its log what it was asked."""
import re

from lib.foreign import Program, needs

CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
children=2
auto_aliases=no
disable_tcp=yes
dns=no
rev_dns=no
use_dns_failover=no
listen=udp:{ip}:{port}
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "timer_interval", 1)
modparam("registrar", "max_expires", {expires})
modparam("registrar", "min_expires", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "{algorithm}")
modparam("auth", "nonce_count", 1)
modparam("auth", "nc_array_size", 1048576)

request_route {{
	if (!is_method("REGISTER")) {{
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}}
	if (!pv_www_authenticate("carrier", "{password}", "0")) {{
		xlog("L_INFO", "CHALLENGED $TV(Sn) $tU $ci $cs $hdr(Expires)\\n");
		www_challenge("carrier", "1");
		exit;
	}}
	if ($au != $tU) {{
		sl_send_reply("403", "Not yours");
		exit;
	}}
	if (!save("location")) {{
		sl_reply_error();
		exit;
	}}
	xlog("L_INFO", "SAVED $TV(Sn) $tU $ci $cs $hdr(Expires)\\n");
}}
"""


class Saved:
    """A REGISTER with right credentials that was granted."""

    def __init__(self, at, user, call_id, cseq, expires):
        self.at, self.user, self.call_id, self.cseq, self.expires = float(at), user, call_id, int(cseq), int(expires)


class KamailioRegistrar(Program):
    """expires: the longest it grants, seconds. Every user has the same password."""

    def __init__(self, context, name, ip, port=5060, password="secret", expires=60, algorithm="MD5"):
        program = needs("kamailio", "kamailio")
        text = CONFIG.format(ip=ip, port=port, password=password, expires=expires, algorithm=algorithm)
        super().__init__(context, name, ip, port, [program, "-DD", "-E", "-m", "64", "-M", "8", "-f", "kamailio.cfg", "-Y", context.dir],
                         files={"kamailio.cfg": text})
        self.logged("Listening on")

    def _lines(self, what):
        return [Saved(*x) for x in re.findall(what + r" (\d+\.\d+) (\S+) (\S+) (\d+) (\d+)", self.log())]

    def saved(self):
        """All that were granted, in order; expires 0: taken back."""
        return self._lines("SAVED")

    def challenged(self):
        return self._lines("CHALLENGED")
