/*
 * Messages as a hostile kernel might send them: every way to look at a view, and what it says given
 * back.
 *
 * MODULE: rtnl
 */
#include "state.h"

static const char chunk[] =
	"local object, bytes = ...\n"
	"local view = rtnl.decode(object, bytes)\n"
	"if not view then return end\n"
	"for _, how in ipairs { {}, { details = true }, { table = true, line = true }, { brief = "
	"true } } do\n"
	"  must(type(view:text(how)) == 'string')\n"
	"end\n"
	"for key, value in pairs(view) do must(value ~= nil and view[key] ~= nil, key) end\n"
	"for n = 0, 64 do view:raw(n) end\n"
	"local again = rtnl.decode(object, bytes)\n"
	"must(view == again, 'a message differs from itself')\n"
	"must(view == rtnl.decode(object, view:bytes()))\n"
	"rtnl.view(object, view:copy(), true)\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	if (!L)
		L = fuzz_state(chunk);
	return fuzz_call(L, data, size);
}
