/*
 * Whether the route that is there is the one that is wanted. What `want` leaves out matches
 * anything; next hops are a set. The rules are those of lua/ecmp/identity.lua; a SAME or DIFFERENT
 * said here is what would be said there.
 */
#define _GNU_SOURCE
#include "rtnl_route.h"

#include <string.h>
#include <sys/socket.h>

/* --- next hops ------------------------------------------------------------------------------- */

static bool hop_matches(const struct plain_hop *have, const struct plain_hop *want, bool alone)
{
	return have->family == want->family && have->onlink == want->onlink &&
	       (alone || have->weight == want->weight) &&
	       memcmp(have->via, want->via, sizeof(have->via)) == 0 &&
	       (!want->dev || (have->dev && strcmp(have->dev, want->dev) == 0));
}

/* Finds a hop of its own for each that names a device, or for each that does not. */
static bool pair(const struct plain_route *have, const struct plain_route *want, bool named,
		 uint32_t *taken)
{
	for (int i = 0; i < want->count; i++) {
		const struct plain_hop *hop = &want->hops[i];
		int k = 0;
		if ((hop->dev != NULL) != named)
			continue;
		while (k < have->count &&
		       (*taken >> k & 1 || !hop_matches(&have->hops[k], hop, have->count == 1)))
			k++;
		if (k == have->count)
			return false;
		*taken |= (uint32_t)1 << k;
	}
	return true;
}

/* A hop that names no device takes any, so it chooses last. */
static bool hops_match(const struct plain_route *have, const struct plain_route *want)
{
	uint32_t taken = 0;
	return have->count == want->count && pair(have, want, true, &taken) &&
	       pair(have, want, false, &taken);
}

static bool names_device(const struct plain_route *want)
{
	for (int i = 0; i < want->count; i++)
		if (want->hops[i].dev)
			return true;
	return false;
}

/* --- everything else ------------------------------------------------------------------------- */

/* Whether two numbers or words say that they are the same. */
static bool is_plain_value(lua_State *L, const struct field *f, int value)
{
	if (f->kind == K_NEST) /* metrics, of which some are checked for their range */
		return lua_isinteger(L, value) && lua_tointeger(L, value) >= 0 &&
		       lua_tointeger(L, value) <= UINT32_MAX;
	return lua_type(L, value) == LUA_TNUMBER || lua_type(L, value) == LUA_TSTRING;
}

/* What may be written in more ways than one. */
static bool is_spelled(const struct field *f)
{
	return f->words || f->kind == K_ADDRESS || f->kind == K_REALM;
}

/* Whether a value that may be written in more ways than one is a word or address for sure. */
static bool is_known(lua_State *L, const struct field *f, int value, uint8_t family)
{
	uint8_t address[16], its_family;
	size_t size;
	if (lua_type(L, value) != LUA_TSTRING)
		return false;
	const char *text = lua_tolstring(L, value, &size);
	if (f->words)
		return word_by_name(f->words, text);
	return f->kind == K_ADDRESS &&
	       read_address(text, size, address, &its_family) == text + size &&
	       its_family == family;
}

/* The n-th field of `want` against the same of `have`, which may be NULL: nothing is there. */
static enum verdict compare_field(lua_State *L, const struct plain_route *have,
				  const struct plain_route *want, int n)
{
	const struct field *f = &schema_route.rows[want->fields.row[n]];
	int value = want->fields.top + 2 * n + 2;
	if ((f->flags & (F_READONLY | F_VOLATILE)) || !is_plain_value(L, f, value))
		return UNSURE;
	if (!have)
		return !is_spelled(f) || is_known(L, f, value, want->slot.family) ? DIFFERENT
										  : UNSURE;
	lua_pushvalue(L, value - 1);
	lua_gettable(L, have->index);
	bool same = lua_compare(L, -1, value, LUA_OPEQ);
	lua_pop(L, 1);
	return same ? SAME : is_spelled(f) ? UNSURE : DIFFERENT;
}

static enum verdict compare_fields(struct route_reader *r, const struct plain_route *have,
				   const struct plain_route *want)
{
	enum verdict all = SAME;
	for (int n = 0; n < want->fields.count; n++) {
		if (r->settled >> want->fields.row[n] & 1)
			continue;
		enum verdict one = compare_field(r->L, have, want, n);
		if (one == UNSURE)
			return UNSURE;
		if (one == DIFFERENT)
			all = DIFFERENT;
	}
	return all;
}

/*
 * `have` and `want` have been read so far as to know that their slots are equal; `have` may be
 * NULL. What is not the same is DIFFERENT only where it is sure that the wanted route can be one.
 */
enum verdict compare_routes(struct route_reader *r, struct plain_route *have,
			    struct plain_route *want)
{
	if (want->fields.strange || want->slot.type != RTN_UNICAST || !read_wanted_hops(r, want))
		return UNSURE;
	bool by_object = field_value(r, want, R_NHID) && want->count == 0;
	if (want->count == 0 && !by_object)
		return UNSURE;
	if (have && (have->fields.strange || !read_held_hops(r, have, names_device(want))))
		return UNSURE;
	enum verdict fields = compare_fields(r, have, want);
	if (fields == UNSURE || !have)
		return fields == UNSURE ? UNSURE : DIFFERENT;
	if (have->slot.type != want->slot.type || (!by_object && !hops_match(have, want)))
		return DIFFERENT;
	return fields;
}
