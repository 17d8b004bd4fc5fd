/*
 * The lines of a file of routes. Most lines of a long one differ from an earlier line in nothing
 * but the destination, so what became of that line becomes of this one with another destination,
 * and nobody need read its words again. The others are handed out, to be understood and added; see
 * lua/ecmp/repl/file.lua.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"

#include "common/addr.h"
#include "rtnl/base/error.h"

#include <ctype.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

#define LINES "ecmp.rtnl.lines"

enum {
	PIECE = 64 << 10, /* read at once */
	KNOWN = 4096,	  /* ends of lines that are remembered */
	END_MAX = 244,	  /* bytes of such an end */
	LIST = 5	  /* user value: the list that the lines go into */
};

/* What followed a destination in an earlier line, and the route that the line became. */
struct known_end {
	uint32_t route; /* its number in the list */
	uint16_t length;
	uint8_t type;	/* that was said before the destination; 0: none was */
	uint8_t family; /* of the destination */
	char text[END_MAX];
};

/* A line as it is read: a type perhaps, a destination, and what follows. */
struct read_line {
	uint8_t dst[16];
	uint8_t type, family; /* as above; family 0: it does not begin plainly */
	uint8_t length;
	const char *end; /* what follows */
	size_t size;
};

struct lines {
	struct guard guard;
	luaL_Stream *file;	    /* user value 1; NULL: all of it is there */
	struct arena *text;	    /* user value 2: what was read and is not done yet */
	struct arena *whole;	    /* user value 3: the line in hand, where it had comments */
	struct arena *known;	    /* user value 4: struct known_end */
	uint16_t places[KNOWN];	    /* by hash: the number of one of those, or 0 */
	size_t at;		    /* in the text: the next line */
	size_t done;		    /* bytes before the text */
	uint32_t number;	    /* of the lines before */
	bool over;		    /* there is no more to be read */
	struct known_end candidate; /* the line that was handed out; family 0: not to be kept */
};

/* --- where a line ends ------------------------------------------------------------------------ */

static bool is_space(char c)
{
	return isspace((unsigned char)c);
}

/* The bytes of a line before its comment: a # at its start or behind a blank. */
static size_t without_comment(const char *line, size_t n)
{
	const char *mark = line;
	while ((mark = memchr(mark, '#', n - (size_t)(mark - line)))) {
		if (mark == line || is_space(mark[-1]))
			return (size_t)(mark - line);
		mark++;
	}
	return n;
}

static size_t without_blanks(const char *line, size_t n)
{
	while (n > 0 && is_space(line[n - 1]))
		n--;
	return n;
}

/* A line that may go over several lines of the file. */
struct extent {
	size_t from, to; /* of the text, blanks around it left out */
	size_t next;	 /* where the next begins */
	uint32_t first;	 /* number of the line it begins in; 0: none was found */
	uint32_t last;	 /* number of the last that was looked at */
	bool comments;
};

/* Takes in one line of the file. */
static bool take_line(const struct lines *r, struct extent *x, size_t size)
{
	const char *line = (const char *)r->text->base + x->next;
	size_t n = without_comment(line, size);
	bool goes_on;
	x->comments = x->comments || n < size;
	n = without_blanks(line, n);
	goes_on = n > 0 && line[n - 1] == '\\';
	if (n > 0 && !x->first) {
		x->first = x->last + 1;
		x->from = x->next;
		while (is_space((char)r->text->base[x->from]))
			x->from++;
	}
	if (n > 0)
		x->to = x->next + n;
	return goes_on;
}

/*
 * Finds the next line: what is indented goes on, and what follows a backslash. False where more of
 * the text has to be read first.
 */
static bool find_line(const struct lines *r, struct extent *x)
{
	bool goes_on = false;
	*x = (struct extent){.next = r->at, .last = r->number};
	while (x->next < r->text->length) {
		const char *line = (const char *)r->text->base + x->next;
		size_t left = r->text->length - x->next;
		if (x->first && !goes_on && !is_space(*line) && *line != '#')
			return true;
		const char *stop = memchr(line, '\n', left);
		if (!stop && !r->over)
			return false;
		size_t size = stop ? (size_t)(stop - line) : left;
		goes_on = take_line(r, x, size);
		x->next += size + (stop ? 1 : 0);
		x->last++;
	}
	return r->over;
}

/* The line without its comments. */
static void clean(lua_State *L, struct lines *r, const struct extent *x)
{
	r->whole->length = 0;
	for (size_t at = x->from; at < x->to;) {
		const char *line = (const char *)r->text->base + at;
		const char *stop = memchr(line, '\n', x->to - at);
		size_t size = stop ? (size_t)(stop - line) : x->to - at;
		size_t n = without_comment(line, size);
		memcpy(arena_room(L, r->whole, n), line, n);
		*arena_room(L, r->whole, 1) = ' ';
		at += size + 1;
	}
}

/* --- lines that are known --------------------------------------------------------------------- */

static bool ends_word(char c)
{
	return is_space(c) || c == '\\';
}

/* "/24" and what a message makes of it */
static bool read_length(struct read_line *line, const char *text, size_t n)
{
	unsigned most = line->family == AF_INET6 ? 128 : 32, length = 0;
	if (n == 0)
		length = most;
	else if (n < 2 || n > 4 || *text != '/' || text[1] == '0')
		return false;
	for (size_t i = 1; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		length = 10 * length + (unsigned)(text[i] - '0');
	}
	if (length > most)
		return false;
	line->length = (uint8_t)length;
	for (unsigned bit = length; bit < most; bit = (bit | 7) + 1)
		line->dst[bit / 8] &= (uint8_t) ~(0xff >> bit % 8);
	return true;
}

static bool read_dst(struct read_line *line, const char *text, size_t n)
{
	int read = text_to_ip4(text, n, line->dst);
	line->family = AF_INET;
	if (!read) {
		read = text_to_ip6(text, n, line->dst);
		line->family = AF_INET6;
		if (read && is_disguised(line->dst))
			read = 0;
	}
	if (!read || !read_length(line, text + read, n - (size_t)read))
		line->family = 0;
	return line->family;
}

static size_t word_length(const char *text, size_t size)
{
	size_t n = 0;
	while (n < size && !ends_word(text[n]))
		n++;
	return n;
}

/* "blackhole", "unicast", ...; 0 where it is no type */
static uint8_t type_of(const char *text, size_t n)
{
	const struct word *w = words_type;
	while (w->name && (strlen(w->name) != n || memcmp(w->name, text, n) != 0))
		w++;
	return w->name ? (uint8_t)w->value : 0;
}

static void read_line(struct read_line *line, const char *text, size_t size)
{
	const char *stop = text + size;
	size_t n = word_length(text, size);
	*line = (struct read_line){.family = 0};
	if (!read_dst(line, text, n) && (line->type = type_of(text, n))) {
		text += n;
		while (text < stop && ends_word(*text))
			text++;
		n = word_length(text, (size_t)(stop - text));
		read_dst(line, text, n);
	}
	line->end = text + n;
	line->size = (size_t)(stop - line->end);
}

static uint16_t *place_of(struct lines *r, const struct read_line *line)
{
	uint64_t hash = (uint64_t)line->type << 8 | line->family, word;
	size_t at = 0;
	for (; at + sizeof(word) <= line->size; at += sizeof(word)) {
		memcpy(&word, line->end + at, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccd;
		hash ^= hash >> 32;
	}
	for (; at < line->size; at++)
		hash = (hash ^ (uint8_t)line->end[at]) * 0x100000001b3;
	return &r->places[(hash ^ hash >> 17) % KNOWN];
}

static struct known_end *known_at(const struct lines *r, uint16_t n)
{
	return (struct known_end *)(void *)r->known->base + n - 1;
}

/* The route that an earlier line with the same end became, or 0. */
static uint32_t find_known(struct lines *r, const struct read_line *line)
{
	uint16_t n = 0;
	if (line->family && line->size <= END_MAX)
		n = *place_of(r, line);
	const struct known_end *known = n ? known_at(r, n) : NULL;
	bool same = known && known->type == line->type && known->family == line->family &&
		    known->length == line->size && memcmp(known->text, line->end, line->size) == 0;
	return same ? known->route : 0;
}

/* The destination in the message of a route: its first attribute. NULL where there is another. */
static uint8_t *dst_of(struct view *v, uint8_t family)
{
	struct rtmsg *m = (void *)v->data;
	struct nlattr *a = (void *)(v->data + sizeof(*m));
	size_t size = family == AF_INET6 ? 16 : 4;
	if (v->length < sizeof(*m) + NLA_HDRLEN + size || m->rtm_family != family ||
	    a->nla_type != RTA_DST || a->nla_len != NLA_HDRLEN + size)
		return NULL;
	return (uint8_t *)a + NLA_HDRLEN;
}

static void add_known(lua_State *L, struct route_list *l, const struct read_line *line,
		      uint32_t route, uint32_t number)
{
	struct view *v = list_repeat(L, l, route, number);
	uint8_t *dst = dst_of(v, line->family);
	((struct rtmsg *)(void *)v->data)->rtm_dst_len = line->length;
	memcpy(dst, line->dst, line->family == AF_INET6 ? 16 : 4);
}

static void prepare_to_learn(struct lines *r, const struct read_line *line)
{
	r->candidate.family = line->size <= END_MAX ? line->family : 0;
	if (!r->candidate.family)
		return;
	r->candidate.type = line->type;
	r->candidate.length = (uint16_t)line->size;
	memcpy(r->candidate.text, line->end, line->size);
}

/* Remembers what became of the line that was handed out. */
static void learn(lua_State *L, struct lines *r, const struct route_list *l)
{
	struct known_end *c = &r->candidate;
	size_t count = list_count(l);
	if (!c->family || count == 0 || !dst_of(list_view(l, count), c->family))
		return;
	struct read_line line = {
		.type = c->type, .family = c->family, .end = c->text, .size = c->length};
	uint16_t *place = place_of(r, &line);
	if (!*place) {
		arena_room(L, r->known, sizeof(*c));
		*place = (uint16_t)(r->known->length / sizeof(*c));
	}
	c->route = (uint32_t)count;
	*known_at(r, *place) = *c;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* More of the text; what is wrong with it, or NULL. */
static const char *read_more(lua_State *L, struct lines *r)
{
	size_t left = r->text->length - r->at;
	size_t room =
		left > PIECE ? left : PIECE; /* a line without an end is not looked at often */
	memmove(r->text->base, r->text->base + r->at, left);
	r->done += r->at;
	r->at = 0;
	r->text->length = left;
	if (!r->file->closef)
		return "it was closed";
	uint8_t *piece = arena_room(L, r->text, room);
	size_t n = fread(piece, 1, room, r->file->f);
	r->text->length = left + n;
	r->over = n < room;
	if (n < room && ferror(r->file->f))
		return strerror(errno);
	return memchr(piece, 0, n) ? "this is no text" : NULL;
}

static struct lines *check_lines(lua_State *L)
{
	return luaL_checkudata(L, 1, LINES);
}

/* What is known are numbers of routes in one list. */
static void check_same_list(lua_State *L)
{
	lua_getiuservalue(L, 1, LIST);
	if (lua_isnil(L, -1)) {
		lua_pushvalue(L, 2);
		lua_setiuservalue(L, 1, LIST);
	} else if (!lua_rawequal(L, -1, 2)) {
		lua_pushliteral(L, "these lines go into another list");
		throw_at_caller(L);
	}
	lua_pop(L, 1);
}

/* [lines, list, learn] */
static int add_lines(lua_State *L)
{
	struct lines *r = check_lines(L);
	struct route_list *l = list_check(L, 2);
	struct extent x;
	if (lua_toboolean(L, 3))
		learn(L, r, l);
	r->candidate.family = 0;
	while (find_line(r, &x) && x.first) {
		struct read_line line;
		const char *text = (const char *)r->text->base + x.from;
		size_t size = x.to - x.from;
		if (x.comments) {
			clean(L, r, &x);
			text = (const char *)r->whole->base;
			size = without_blanks(text, r->whole->length);
		}
		r->at = x.next;
		r->number = x.last;
		read_line(&line, text, size);
		uint32_t route = find_known(r, &line);
		if (route) {
			add_known(L, l, &line, route, x.first);
			continue;
		}
		prepare_to_learn(r, &line);
		lua_pushlstring(L, text, size);
		lua_pushinteger(L, x.first);
		return 2;
	}
	if (r->over) {
		r->at = r->text->length;
		return 0;
	}
	const char *wrong = read_more(L, r);
	if (wrong) {
		lua_pushnil(L);
		lua_pushstring(L, wrong);
		return 2;
	}
	lua_pushboolean(L, 0);
	return 1;
}

static int next_line(lua_State *L)
{
	return guard_call(L, &list_check(L, 2)->guard, add_lines);
}

/*
 * lines:next(list, learn) -> text, number | false | nil, message?
 * Adds the lines that are known to the list, and hands out the first that is not. With `learn` the
 * line handed out before has become the list's last route. false: there is more, and this is a
 * moment to tell how far it is; nil: that was all, or it cannot be read. The list is the same at
 * every call.
 */
static int lines_next(lua_State *L)
{
	struct lines *r = check_lines(L);
	list_check(L, 2);
	check_same_list(L);
	return guard_call(L, &r->guard, next_line);
}

/* lines:done() -> bytes of the lines that were read */
static int lines_done(lua_State *L)
{
	const struct lines *r = check_lines(L);
	lua_pushinteger(L, (lua_Integer)r->done + (lua_Integer)r->at);
	return 1;
}

/* rtnl.lines(source) -> lines of an open file, or of a text */
int lines_new(lua_State *L)
{
	size_t size;
	lua_settop(L, 1);
	struct lines *r = lua_newuserdatauv(L, sizeof(*r), LIST);
	memset(r, 0, sizeof(*r));
	r->guard.what = "this file";
	r->text = arena_new(L);
	lua_setiuservalue(L, 2, 2);
	arena_grow(L, r->text, 1);
	r->whole = arena_new(L);
	lua_setiuservalue(L, 2, 3);
	arena_grow(L, r->whole, 1);
	r->known = arena_new(L);
	lua_setiuservalue(L, 2, 4);
	if (lua_type(L, 1) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, 1, &size);
		memcpy(arena_room(L, r->text, size), text, size);
		r->over = true;
	} else {
		r->file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
		luaL_argcheck(L, r->file->closef, 1, "closed");
		lua_pushvalue(L, 1);
		lua_setiuservalue(L, 2, 1);
	}
	luaL_setmetatable(L, LINES);
	return 1;
}

static const luaL_Reg methods[] = {{"next", lines_next}, {"done", lines_done}, {NULL, NULL}};

void lines_register(lua_State *L)
{
	luaL_newmetatable(L, LINES);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}
