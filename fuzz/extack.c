/*
 * Refusals as a hostile kernel might send them, and offsets that point anywhere into a request.
 *
 * An input is: what to take the answer for, its flags, the object of the request, the request's
 * length, the request, and the answer behind its header.
 *
 * MODULE: rtnl
 */
#include "state.h"

struct refusal_input {
	uint8_t done, flags, object, request;
};

static void ask_path(lua_State *L, const struct refusal_input *in, const uint8_t *request,
		     size_t length, size_t offset)
{
	size_t count = 0;
	while (rtnl_objects[count].name)
		count++;
	uint8_t *copy =
		malloc(length ? length : 1); /* of its own size, so that one byte too far is seen */
	memcpy(copy, request, length);
	push_field_path(L, rtnl_objects[in->object % count].schema, copy, length, offset);
	free(copy);
	lua_settop(L, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	struct refusal_input in;
	struct extack x;
	int error = 0;
	if (!L)
		L = fuzz_state("");
	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	const uint8_t *request = data + sizeof(in);
	size_t left = size - sizeof(in), length = in.request < left ? in.request : left;
	struct nlmsghdr head = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + left - length),
				.nlmsg_type = in.done & 1 ? NLMSG_DONE : NLMSG_ERROR,
				.nlmsg_flags = (uint16_t)(in.flags << 8)};
	uint8_t *reply = malloc(head.nlmsg_len);
	memcpy(reply, &head, sizeof(head));
	memcpy(reply + NLMSG_HDRLEN, request + length, left - length);
	if (read_extack((const struct nlmsghdr *)(const void *)reply, &x, &error)) {
		lua_pushlstring(L, x.text ? x.text : "", x.text ? x.text_length : 0);
		ask_path(L, &in, request, length, x.offset);
		ask_path(L, &in, request, length, x.missing_nest);
		for (size_t offset = 0; offset < length + 24; offset += 3)
			ask_path(L, &in, request, length, offset);
	}
	free(reply);
	return 0;
}
