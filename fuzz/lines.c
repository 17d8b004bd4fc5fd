/*
 * Files of routes: what is known of a line from one before it is what its words say.
 *
 * MODULE: rtnl
 */
#include "state.h"

static const char chunk[] =
	"local _, text = ...\n"
	"local function read(learning)\n"
	"  local list, lines, kept = rtnl.list(), rtnl.lines(text), false\n"
	"  while true do\n"
	"    local line, number = lines:next(list, kept and learning)\n"
	"    if not line then return list end\n"
	"    local route = rtnl.parse('route', line)\n"
	"    kept = route and pcall(list.add, list, route, number)\n"
	"  end\n"
	"end\n"
	"local one, other = read(true), read(false)\n"
	"must(#one == #other, text)\n"
	"for i = 1, #one do\n"
	"  must(one:line(i) == other:line(i), text)\n"
	"  must(rtnl.view('route', one[i]) == rtnl.view('route', other[i]), text)\n"
	"  must(rtnl.slot(one, i) == rtnl.slot(other, i), text)\n"
	"end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	if (!L)
		L = fuzz_state(chunk);
	return fuzz_call(L, data, size);
}
