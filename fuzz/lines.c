/*
 * Files of routes: a line that is taken becomes a message that says what it reads as, and the same
 * when it is read alone.
 *
 * MODULE: rtnl
 */
#include "state.h"

static const char chunk[] =
	"local _, text = ...\n"
	"local list, lines = rtnl.list(), rtnl.lines(text)\n"
	"repeat local found = lines:next(list) until found == nil\n"
	"local again = rtnl.list()\n"
	"for i = 1, #list do\n"
	"  again:add(list[i], list:line(i))\n"
	"  must(#again == i and again:line(i) == list:line(i), text)\n"
	"  must(rtnl.view('route', list[i]) == rtnl.view('route', again[i]), text)\n"
	"  must(rtnl.slot(list, i) == rtnl.slot(again, i), text)\n"
	"end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	if (!L)
		L = fuzz_state(chunk);
	return fuzz_call(L, data, size);
}
