/*
 * What people type after `ip OBJECT add`: any text is a table or a message; what encodes and prints
 * is understood again.
 *
 * MODULE: rtnl
 */
#include "state.h"

static const char chunk[] =
	"local object, text = ...\n"
	"local value, message = rtnl.parse(object, text)\n"
	"must(value or type(message) == 'string')\n"
	"if not value then return end\n"
	"local view = rtnl.view(object, value, true)\n"
	"local printed = view:text { table = true, line = true }\n"
	"if object ~= 'route' then return end\n"
	"local back, why = rtnl.parse(object, printed)\n"
	"must(back, printed .. ': ' .. tostring(why))\n"
	"back.family = view.family\n"
	"local same = rtnl.view(object, back):text { table = true, line = true }\n"
	"must(same == printed, printed .. '\\n' .. same)\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	if (!L)
		L = fuzz_state(chunk);
	return fuzz_call(L, data, size);
}
