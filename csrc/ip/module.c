/*
 * The Lua module ecmp.ip: IP addresses and prefixes as values. Text that is no address is nil,
 * message where it is parsed, and raises as an argument of other functions.
 */
#include "ip/ip.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "common/export.h"

#define IP "ecmp.ip"

EXPORT int luaopen_ecmp_ip(lua_State *L);

/* [] -> [ip] */
static int push_ip(lua_State *L, struct ip value)
{
	struct ip *ip = lua_newuserdatauv(L, sizeof(*ip), 0);

	*ip = value;
	luaL_setmetatable(L, IP);
	return 1;
}

static const struct ip *check_ip(lua_State *L, int arg)
{
	return luaL_checkudata(L, arg, IP);
}

/* [] -> [nil, message]; quotes the text unless it is long */
static int push_error(lua_State *L, const char *text, size_t len, const char *wrong)
{
	lua_pushnil(L);
	if (len > IP_TEXT_SIZE || strlen(text) != len)
		lua_pushfstring(L, "not an IP address: %s", wrong);
	else
		lua_pushfstring(L, "not an IP address: \"%s\": %s", text, wrong);
	return 2;
}

/* Text or a value, as an argument; raises for other text. */
static struct ip to_ip(lua_State *L, int arg)
{
	const struct ip *ip = luaL_testudata(L, arg, IP);
	struct ip value = {0};
	const char *text, *wrong;
	size_t len;

	if (ip)
		return *ip;
	luaL_argexpected(L, lua_type(L, arg) == LUA_TSTRING, arg, "IP address");
	text = lua_tolstring(L, arg, &len);
	wrong = ip_read(&value, text, len);
	if (wrong) {
		push_error(L, text, len, wrong);
		luaL_argerror(L, arg, lua_tostring(L, -1));
	}
	return value;
}

/* The text at 1: true and the value, or false and [] -> [nil, message]. */
static bool read_text(lua_State *L, struct ip *value)
{
	const char *text, *wrong;
	size_t len;

	luaL_argexpected(L, lua_type(L, 1) == LUA_TSTRING, 1, "string");
	text = lua_tolstring(L, 1, &len);
	wrong = ip_read(value, text, len);
	if (wrong)
		push_error(L, text, len, wrong);
	return !wrong;
}

/* [] -> [text] */
static int push_text(lua_State *L, const struct ip *ip)
{
	char text[IP_TEXT_SIZE];
	size_t len = ip_write(ip, text);

	lua_pushlstring(L, text, len);
	return 1;
}

/* parse(text) -> ip | nil, message */
static int ip_parse(lua_State *L)
{
	struct ip ip;

	if (luaL_testudata(L, 1, IP)) {
		lua_settop(L, 1);
		return 1;
	}
	return read_text(L, &ip) ? push_ip(L, ip) : 2;
}

/* canonical(text) -> text | nil, message */
static int ip_canonical(lua_State *L)
{
	struct ip ip;

	return read_text(L, &ip) ? push_text(L, &ip) : 2;
}

/* mask(text) -> the prefix it is in, always with its length, and 4 or 6 | nil, message */
static int ip_mask(lua_State *L)
{
	struct ip ip;

	if (!read_text(L, &ip))
		return 2;
	ip = ip_network(&ip);
	push_text(L, &ip);
	lua_pushinteger(L, ip.family);
	return 2;
}

static int ip_tostring(lua_State *L)
{
	return push_text(L, check_ip(L, 1));
}

/* family() -> 4 | 6 */
static int ip_family(lua_State *L)
{
	lua_pushinteger(L, check_ip(L, 1)->family);
	return 1;
}

/* length() -> of the prefix; the whole width for an address written without */
static int ip_length(lua_State *L)
{
	lua_pushinteger(L, check_ip(L, 1)->length);
	return 1;
}

/* is_address() -> whether it was written without a length */
static int ip_is_address(lua_State *L)
{
	lua_pushboolean(L, check_ip(L, 1)->no_length);
	return 1;
}

/* is_network() -> whether no host bit is set */
static int ip_is_network(lua_State *L)
{
	const struct ip *ip = check_ip(L, 1);

	lua_pushboolean(L, u128_compare(ip_network(ip).bits, ip->bits) == 0);
	return 1;
}

/* address() -> the same address without the length */
static int ip_address(lua_State *L)
{
	struct ip ip = *check_ip(L, 1);

	ip.length = (uint8_t)ip_width(&ip);
	ip.no_length = true;
	return push_ip(L, ip);
}

static int ip_network_of(lua_State *L)
{
	return push_ip(L, ip_network(check_ip(L, 1)));
}

static int ip_first_of(lua_State *L)
{
	return push_ip(L, ip_first(check_ip(L, 1)));
}

static int ip_last_of(lua_State *L)
{
	return push_ip(L, ip_last(check_ip(L, 1)));
}

/* contains(x) -> whether all of x lies in this prefix */
static int ip_contains_other(lua_State *L)
{
	const struct ip *ip = check_ip(L, 1);
	struct ip other = to_ip(L, 2);

	lua_pushboolean(L, ip_contains(ip, &other));
	return 1;
}

/* overlaps(x) -> whether an address lies in both: of two prefixes one then contains the other */
static int ip_overlaps(lua_State *L)
{
	const struct ip *ip = check_ip(L, 1);
	struct ip other = to_ip(L, 2);

	lua_pushboolean(L, ip_contains(ip, &other) || ip_contains(&other, ip));
	return 1;
}

/* bytes() -> 4 or 16 bytes in network order */
static int ip_bytes(lua_State *L)
{
	const struct ip *ip = check_ip(L, 1);
	char bytes[16];

	for (int i = 0; i < 8; i++) {
		bytes[i] = (char)(ip->bits.hi >> (56 - 8 * i));
		bytes[i + 8] = (char)(ip->bits.lo >> (56 - 8 * i));
	}
	if (ip->family == 4)
		lua_pushlstring(L, bytes + 12, 4);
	else
		lua_pushlstring(L, bytes, 16);
	return 1;
}

static int ip_eq(lua_State *L)
{
	/* Lua asks for any two userdata of which one has __eq */
	const struct ip *a = luaL_testudata(L, 1, IP), *b = luaL_testudata(L, 2, IP);

	lua_pushboolean(L, a && b && ip_compare(a, b) == 0);
	return 1;
}

static int ip_lt(lua_State *L)
{
	lua_pushboolean(L, ip_compare(check_ip(L, 1), check_ip(L, 2)) < 0);
	return 1;
}

static int ip_le(lua_State *L)
{
	lua_pushboolean(L, ip_compare(check_ip(L, 1), check_ip(L, 2)) <= 0);
	return 1;
}

/* [] -> [ip + count or ip - count]; keeps the length; raises beyond the family's range. */
static int push_moved(lua_State *L, const struct ip *ip, uint64_t count, bool down)
{
	const struct u128 step = {0, count};
	const struct u128 all = u128_hosts(ip_width(ip), 0);
	struct u128 room = down ? ip->bits : u128_sub(all, ip->bits);
	struct ip moved = *ip;

	if (u128_compare(step, room) > 0) {
		push_text(L, ip);
		return luaL_error(L, "%s: there is no such IPv%d address that far %s",
				  lua_tostring(L, -1), ip->family, down ? "down" : "up");
	}
	moved.bits = down ? u128_sub(ip->bits, step) : u128_add(ip->bits, step);
	return push_ip(L, moved);
}

static int move(lua_State *L, int ip, int count, bool down)
{
	lua_Integer n = luaL_checkinteger(L, count);

	/* negation in the unsigned type: the smallest integer has no positive counterpart */
	if (n < 0)
		return push_moved(L, check_ip(L, ip), 0 - (uint64_t)n, !down);
	return push_moved(L, check_ip(L, ip), (uint64_t)n, down);
}

/* ip + n, n + ip */
static int ip_add(lua_State *L)
{
	return luaL_testudata(L, 1, IP) ? move(L, 1, 2, false) : move(L, 2, 1, false);
}

/* ip - n -> ip; ip - ip -> how far apart, as an integer */
static int ip_sub(lua_State *L)
{
	const struct ip *a = check_ip(L, 1), *b = luaL_testudata(L, 2, IP);
	struct u128 apart;
	bool down;

	if (!b)
		return move(L, 1, 2, true);
	if (a->family != b->family)
		return luaL_error(L, "the distance of an IPv4 and an IPv6 address is not defined");
	down = u128_compare(a->bits, b->bits) < 0;
	apart = down ? u128_sub(b->bits, a->bits) : u128_sub(a->bits, b->bits);
	if (apart.hi || apart.lo > (uint64_t)LUA_MAXINTEGER)
		return luaL_error(L, "addresses further apart than an integer can say");
	lua_pushinteger(L, down ? -(lua_Integer)apart.lo : (lua_Integer)apart.lo);
	return 1;
}

/* The state of an iterator from `next` to `last` by `step`. */
struct walk {
	struct ip next;
	struct u128 last, step;
	bool done;
};

static int walk_next(lua_State *L)
{
	struct walk *walk = lua_touserdata(L, lua_upvalueindex(1));
	struct ip now = walk->next;

	if (walk->done)
		return 0;
	walk->done = u128_compare(now.bits, walk->last) >= 0;
	walk->next.bits = u128_add(now.bits, walk->step);
	return push_ip(L, now);
}

/* [] -> [iterator] */
static int push_walk(lua_State *L, struct walk value)
{
	struct walk *walk = lua_newuserdatauv(L, sizeof(*walk), 0);

	*walk = value;
	lua_pushcclosure(L, walk_next, 1);
	return 1;
}

/*
 * hosts(prefix) -> iterator over the addresses that hosts may have: without the first, which is the
 * network or the subnet-router anycast address, and for IPv4 without the last, the broadcast. In a
 * prefix of one or two addresses all are hosts (RFC 3021, RFC 6164).
 */
static int ip_hosts(lua_State *L)
{
	const struct u128 one = {0, 1};
	struct ip ip = to_ip(L, 1), last = ip_last(&ip);
	struct walk walk = {.next = ip_first(&ip), .last = last.bits, .step = one};

	if (ip_width(&ip) - ip.length > 1) {
		walk.next.bits = u128_add(walk.next.bits, one);
		if (ip.family == 4)
			walk.last = u128_sub(walk.last, one);
	}
	return push_walk(L, walk);
}

/* subnets(prefix, length) -> iterator over the prefixes of that length in it */
static int ip_subnets(lua_State *L)
{
	struct ip ip = to_ip(L, 1), last = ip_last(&ip);
	lua_Integer length = luaL_checkinteger(L, 2);
	struct walk walk = {.next = ip_network(&ip)};

	luaL_argcheck(L, length >= ip.length && length <= ip_width(&ip), 2,
		      "length must be from the prefix's own to the width of an address");
	walk.next.length = (uint8_t)length;
	last.length = (uint8_t)length;
	walk.last = ip_network(&last).bits;
	/* there is one subnet of length 0, so no step is made */
	if (length > 0)
		walk.step = u128_power(ip_width(&ip) - (unsigned)length);
	return push_walk(L, walk);
}

static const luaL_Reg functions[] = {
	{"parse", ip_parse}, {"canonical", ip_canonical}, {"mask", ip_mask},
	{"hosts", ip_hosts}, {"subnets", ip_subnets},	  {NULL, NULL},
};

static const luaL_Reg methods[] = {
	{"family", ip_family},		 {"length", ip_length},	    {"address", ip_address},
	{"network", ip_network_of},	 {"first", ip_first_of},    {"last", ip_last_of},
	{"contains", ip_contains_other}, {"overlaps", ip_overlaps}, {"is_address", ip_is_address},
	{"is_network", ip_is_network},	 {"bytes", ip_bytes},	    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
	{"__tostring", ip_tostring}, {"__eq", ip_eq},	{"__lt", ip_lt}, {"__le", ip_le},
	{"__add", ip_add},	     {"__sub", ip_sub}, {NULL, NULL},
};

int luaopen_ecmp_ip(lua_State *L)
{
	luaL_newmetatable(L, IP);
	luaL_setfuncs(L, metamethods, 0);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
