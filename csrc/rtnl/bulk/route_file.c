/*
 * Reads a file of routes into a list of messages. A line goes on where the next is indented, is a
 * next hop of `ip route`, or follows a backslash; # begins a comment.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"
#include "rtnl/text/parser.h"

#include <ctype.h>
#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "common/export.h"

#define LINES "ecmp.rtnl.lines"

enum {
	BLOCK = 64 << 10, /* read at once */
	PROTO = 4	  /* user value: the protocol of routes that name none */
};

struct lines {
	struct guard guard;
	luaL_Stream *file;    /* user value 1; NULL: all of it is there */
	struct buffer *text;  /* user value 2: what was read and is not done yet */
	struct buffer *whole; /* user value 3: the line in hand, where it had comments */
	size_t at;	      /* in the text: the next line */
	size_t done;	      /* bytes before the text */
	uint32_t number;      /* of the lines before */
	uint32_t first;	      /* number of the first of those in hand */
	bool over;	      /* there is no more to be read */
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

/* "nexthop ..." belongs to the route before, also where a paste has lost its indentation. */
static bool is_next_hop(const char *line, size_t n)
{
	static const char word[] = "nexthop";
	size_t size = sizeof(word) - 1;
	return n > size && memcmp(line, word, size) == 0 && is_space(line[size]);
}

/* Finds the next line. False where more of the text has to be read first. */
static bool find_line(const struct lines *r, struct extent *x)
{
	bool goes_on = false;
	*x = (struct extent){.next = r->at, .last = r->number};
	while (x->next < r->text->length) {
		const char *line = (const char *)r->text->base + x->next;
		size_t left = r->text->length - x->next;
		if (x->first && !goes_on && !is_space(*line) && *line != '#' &&
		    !is_next_hop(line, left))
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
		memcpy(buffer_room(L, r->whole, n), line, n);
		*buffer_room(L, r->whole, 1) = ' ';
		at += size + 1;
	}
}

/* More of the text; what is wrong with it, or NULL. */
static const char *read_more(lua_State *L, struct lines *r)
{
	size_t left = r->text->length - r->at;
	size_t room =
		left > BLOCK ? left : BLOCK; /* a line without an end is not looked at often */
	memmove(r->text->base, r->text->base + r->at, left);
	r->done += r->at;
	r->at = 0;
	r->text->length = left;
	if (!r->file->closef)
		return "it was closed";
	uint8_t *block = buffer_room(L, r->text, room);
	size_t n = fread(block, 1, room, r->file->f);
	r->text->length = left + n;
	r->over = n < room;
	if (n < room && ferror(r->file->f))
		return strerror(errno);
	return memchr(block, 0, n) ? "this is no text" : NULL;
}

static struct lines *check_lines(lua_State *L)
{
	return luaL_checkudata(L, 1, LINES);
}

/* --- what the words of a line become ---------------------------------------------------------- */

enum {
	NEEDS_TEXT, /* more has to be read */
	DOUBTFUL    /* the route added last may be none, though each field is right */
};

/* Adds lines until the text ends in one, or there is something to look at. Raises for a mistake,
 * with the line left behind. [lines, list] */
static int add_lines(lua_State *L)
{
	struct lines *r = check_lines(L);
	struct extent x;
	lua_getiuservalue(L, 1, PROTO);
	while (find_line(r, &x) && x.first) {
		const char *text = (const char *)r->text->base + x.from;
		size_t size = x.to - x.from;
		if (x.comments) {
			clean(L, r, &x);
			text = (const char *)r->whole->base;
			size = without_blanks(text, r->whole->length);
		}
		r->at = x.next;
		r->number = x.last;
		r->first = x.first;
		if (!list_add_words(L, 2, text, size, x.first, 3)) {
			lua_pushinteger(L, DOUBTFUL);
			return 1;
		}
	}
	lua_pushinteger(L, NEEDS_TEXT);
	return 1;
}

/* The same, with a mistake returned. [lines, list] -> text, line | true | false | nil, message? */
static int read_lines(lua_State *L)
{
	struct lines *r = check_lines(L);
	lua_pushcfunction(L, add_lines);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, 2);
	int status = lua_pcall(L, 2, 1, 0);
	if (status == LUA_ERRRUN) {
		lua_pushinteger(L, r->first);
		return 2;
	}
	if (status != LUA_OK)
		return lua_error(L);
	if (lua_tointeger(L, -1) == DOUBTFUL) {
		lua_pushboolean(L, 1);
		return 1;
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

static int guarded_list(lua_State *L)
{
	return guard_call(L, &list_check(L, 2)->guard, read_lines);
}

/*
 * lines:next(list) -> text, number | true | false | nil, message?
 * Adds lines to the list until one is a mistake, which comes back with its number; until the route
 * added last has to be looked at, since it may be none though each field is right (true); or until
 * this is a moment to tell how far it is (false). nil: that was all, or it cannot be read.
 */
static int lines_next(lua_State *L)
{
	struct lines *r = check_lines(L);
	list_check(L, 2);
	lua_settop(L, 2);
	return guard_call(L, &r->guard, guarded_list);
}

/* lines:done() -> bytes of the lines that were read */
static int lines_done(lua_State *L)
{
	const struct lines *r = check_lines(L);
	lua_pushinteger(L, (lua_Integer)r->done + (lua_Integer)r->at);
	return 1;
}

/* lines:peek() -> the first character of a file that nothing was read from yet; nil at its end */
static int lines_peek(lua_State *L)
{
	const struct lines *r = check_lines(L);
	if (!r->file || !r->file->closef)
		return 0;
	int c = getc(r->file->f);
	if (c == EOF)
		return 0;
	ungetc(c, r->file->f);
	char first = (char)c;
	lua_pushlstring(L, &first, 1);
	return 1;
}

/* rtnl.lines(source, proto?) -> lines of an open file, or of a text; the protocol is that of routes
 * that name none */
int lines_new(lua_State *L)
{
	size_t size;
	lua_settop(L, 2);
	struct lines *r = lua_newuserdatauv(L, sizeof(*r), PROTO);
	memset(r, 0, sizeof(*r));
	r->guard.what = "this file";
	r->text = buffer_new(L);
	lua_setiuservalue(L, 3, 2);
	buffer_grow(L, r->text, 1);
	r->whole = buffer_new(L);
	lua_setiuservalue(L, 3, 3);
	buffer_grow(L, r->whole, 1);
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, 3, PROTO);
	if (lua_type(L, 1) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, 1, &size);
		memcpy(buffer_room(L, r->text, size), text, size);
		r->over = true;
	} else {
		r->file = luaL_checkudata(L, 1, LUA_FILEHANDLE);
		luaL_argcheck(L, r->file->closef, 1, "closed");
		lua_pushvalue(L, 1);
		lua_setiuservalue(L, 3, 1);
	}
	luaL_setmetatable(L, LINES);
	return 1;
}

static const luaL_Reg methods[] = {
	{"next", lines_next}, {"done", lines_done}, {"peek", lines_peek}, {NULL, NULL}};

void lines_register(lua_State *L)
{
	luaL_newmetatable(L, LINES);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}
