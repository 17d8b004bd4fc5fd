/*
 * Lightweight tunnels: what a route or a next hop wraps packets in, or does to them.
 */
#include "rtnl/schema/field_macros.h"

#include <linux/ioam6.h>
#include <linux/ioam6_iptunnel.h>
#include <linux/ipv6.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rpl_iptunnel.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>

#include "common/export.h"

/* clang-format off: fields are read as a table */

static const struct word words_seg6_mode[] = {
	{"inline", SEG6_IPTUN_MODE_INLINE},
	{"encap", SEG6_IPTUN_MODE_ENCAP},
	{"l2encap", SEG6_IPTUN_MODE_L2ENCAP},
	{"encap.red", 3},
	{"l2encap.red", 4},
	{NULL, 0},
};
static const struct word words_seg6_action[] = {
	{"End", SEG6_LOCAL_ACTION_END},
	{"End.X", SEG6_LOCAL_ACTION_END_X},
	{"End.T", SEG6_LOCAL_ACTION_END_T},
	{"End.DX2", SEG6_LOCAL_ACTION_END_DX2},
	{"End.DX6", SEG6_LOCAL_ACTION_END_DX6},
	{"End.DX4", SEG6_LOCAL_ACTION_END_DX4},
	{"End.DT6", SEG6_LOCAL_ACTION_END_DT6},
	{"End.DT4", SEG6_LOCAL_ACTION_END_DT4},
	{"End.B6", SEG6_LOCAL_ACTION_END_B6},
	{"End.B6.Encaps", SEG6_LOCAL_ACTION_END_B6_ENCAP},
	{"End.BM", SEG6_LOCAL_ACTION_END_BM},
	{"End.S", SEG6_LOCAL_ACTION_END_S},
	{"End.AS", SEG6_LOCAL_ACTION_END_AS},
	{"End.AM", SEG6_LOCAL_ACTION_END_AM},
	{"End.BPF", SEG6_LOCAL_ACTION_END_BPF},
	{"End.DT46", SEG6_LOCAL_ACTION_END_DT46},
	{NULL, 0},
};

static const struct field mpls_rows[] = {
	FIELD("labels", FIELD_LABELS, MPLS_IPTUNNEL_DST, .flags = F_POSITIONAL),
	FIELD("ttl", FIELD_INT, MPLS_IPTUNNEL_TTL, .size = 1),
	END,
};
static const struct field ip_tunnel_rows[] = {
	FIELD("id", FIELD_INT, LWTUNNEL_IP_ID, .size = 8, .flags = F_BE),
	FIELD("src", FIELD_ADDRESS, LWTUNNEL_IP_SRC, .size = 4),
	FIELD("dst", FIELD_ADDRESS, LWTUNNEL_IP_DST, .size = 4),
	FIELD("ttl", FIELD_INT, LWTUNNEL_IP_TTL, .size = 1),
	FIELD("tos", FIELD_INT, LWTUNNEL_IP_TOS, .size = 1),
	FIELD("key", FIELD_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 4, .flags = F_BE),
	FIELD("csum", FIELD_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 1, .flags = F_BE),
	FIELD("seq", FIELD_BIT, LWTUNNEL_IP_FLAGS, .size = 2, .mask = 8, .flags = F_BE),
	END,
};
static const struct field ip6_tunnel_rows[] = {
	FIELD("id", FIELD_INT, LWTUNNEL_IP6_ID, .size = 8, .flags = F_BE),
	FIELD("src", FIELD_ADDRESS, LWTUNNEL_IP6_SRC, .size = 16),
	FIELD("dst", FIELD_ADDRESS, LWTUNNEL_IP6_DST, .size = 16),
	FIELD("hoplimit", FIELD_INT, LWTUNNEL_IP6_HOPLIMIT, .size = 1),
	FIELD("tc", FIELD_INT, LWTUNNEL_IP6_TC, .size = 1),
	FIELD("key", FIELD_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 4, .flags = F_BE),
	FIELD("csum", FIELD_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 1, .flags = F_BE),
	FIELD("seq", FIELD_BIT, LWTUNNEL_IP6_FLAGS, .size = 2, .mask = 8, .flags = F_BE),
	END,
};
static const struct field seg6_rows[] = {
	FIELD("mode", FIELD_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4, .words = words_seg6_mode),
	FIELD("segs", FIELD_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4,
	      .flags = F_READONLY | F_SILENT), /* with the mode */
	FIELD("hmac", FIELD_HMAC, SEG6_IPTUNNEL_SRH, .size = 4),
	END,
};
static const struct word words_flavors[] = {
	{"psp", 1 << SEG6_LOCAL_FLV_OP_PSP},
	{"usp", 1 << SEG6_LOCAL_FLV_OP_USP},
	{"usd", 1 << SEG6_LOCAL_FLV_OP_USD},
	{"next-csid", 1 << SEG6_LOCAL_FLV_OP_NEXT_CSID},
	{NULL, 0},
};
static const struct field flavor_rows[] = {
	FIELD("flavors", FIELD_BITS, SEG6_LOCAL_FLV_OPERATION, .size = 4, .words = words_flavors),
	FIELD("lblen", FIELD_INT, SEG6_LOCAL_FLV_LCBLOCK_BITS, .size = 1),
	FIELD("nflen", FIELD_INT, SEG6_LOCAL_FLV_LCNODE_FN_BITS, .size = 1),
	END,
};
static const struct schema schema_flavors = {"seg6local encap", 0, flavor_rows};
/* A program that is loaded: the kernel tells by what name, and takes none without a descriptor of
 * it, which text cannot hold. */
#define PROGRAM(word)                                                                              \
	{                                                                                          \
		FIELD(word, FIELD_STRING, LWT_BPF_PROG_NAME, .flags = 0), END                      \
	}
static const struct field endpoint_rows[] = PROGRAM("endpoint");
static const struct schema schema_endpoint = {"seg6local encap", 0, endpoint_rows};
static const struct field seg6local_rows[] = {
	FIELD("action", FIELD_INT, SEG6_LOCAL_ACTION, .size = 4, .words = words_seg6_action),
	FIELD("segs", FIELD_SEGMENTS, SEG6_LOCAL_SRH, .size = 0),
	FIELD("hmac", FIELD_HMAC, SEG6_LOCAL_SRH, .size = 0),
	FIELD("table", FIELD_INT, SEG6_LOCAL_TABLE, .size = 4, .words = words_table),
	FIELD("vrftable", FIELD_INT, SEG6_LOCAL_VRFTABLE, .size = 4, .words = words_table),
	FIELD("nh4", FIELD_ADDRESS, SEG6_LOCAL_NH4, .size = 4),
	FIELD("nh6", FIELD_ADDRESS, SEG6_LOCAL_NH6, .size = 16),
	FIELD("iif", FIELD_IFINDEX, SEG6_LOCAL_IIF, .size = 4),
	FIELD("oif", FIELD_IFINDEX, SEG6_LOCAL_OIF, .size = 4),
	FIELD("count", FIELD_COUNT, SEG6_LOCAL_COUNTERS, .flags = F_SILENT),
	FIELD(NULL, FIELD_NEST, SEG6_LOCAL_BPF, .sub = &schema_endpoint, .flags = F_FLATTEN),
	FIELD(NULL, FIELD_NEST, SEG6_LOCAL_FLAVORS, .sub = &schema_flavors,
	      .flags = F_FLATTEN | F_NESTED),
	END,
};
static const struct field rpl_rows[] = {
	FIELD("segs", FIELD_SEGMENTS, RPL_IPTUNNEL_SRH, .size = 0, .mask = IPV6_SRCRT_TYPE_3),
	END,
};
static const struct word words_ioam6_mode[] = {
	{"inline", IOAM6_IPTUNNEL_MODE_INLINE},
	{"encap", IOAM6_IPTUNNEL_MODE_ENCAP},
	{"auto", IOAM6_IPTUNNEL_MODE_AUTO},
	{NULL, 0},
};
static const struct field ioam6_trace_rows[] = {
	{.key = "type",
	 .type = FIELD_HEX,
	 .offset = 4,
	 .size = 3,
	 .mask = 8,
	 .flags = F_HEADER | F_BE},
	{.key = "ns", .type = FIELD_INT, .offset = 0, .size = 2, .flags = F_HEADER | F_BE},
	{.key = "size",
	 .type = FIELD_UNITS,
	 .offset = 3,
	 .size = 1,
	 .mask = 4,
	 .whole = IOAM6_TRACE_DATA_SIZE_MAX / 4,
	 .flags = F_HEADER},
	END,
};
static const struct schema schema_ioam6_trace = {"ioam6 trace", sizeof(struct ioam6_trace_hdr),
						 ioam6_trace_rows};
static const struct field ioam6_rows[] = {
	FIELD("freq", FIELD_RATIO, IOAM6_IPTUNNEL_FREQ_K, .offset = IOAM6_IPTUNNEL_FREQ_N,
	      .size = 4),
	FIELD("mode", FIELD_INT, IOAM6_IPTUNNEL_MODE, .size = 1, .words = words_ioam6_mode),
	FIELD("tundst", FIELD_ADDRESS, IOAM6_IPTUNNEL_DST, .size = 16),
	FIELD("trace", FIELD_PEER, IOAM6_IPTUNNEL_TRACE, .sub = &schema_ioam6_trace,
	      .show = "trace prealloc"),
	END,
};
static const struct field bpf_in_rows[] = PROGRAM("in");
static const struct field bpf_out_rows[] = PROGRAM("out");
static const struct field bpf_xmit_rows[] = PROGRAM("xmit");
static const struct schema schema_bpf_in = {"bpf encap", 0, bpf_in_rows};
static const struct schema schema_bpf_out = {"bpf encap", 0, bpf_out_rows};
static const struct schema schema_bpf_xmit = {"bpf encap", 0, bpf_xmit_rows};
static const struct field bpf_rows[] = {
	FIELD(NULL, FIELD_NEST, LWT_BPF_IN, .sub = &schema_bpf_in, .flags = F_FLATTEN),
	FIELD(NULL, FIELD_NEST, LWT_BPF_OUT, .sub = &schema_bpf_out, .flags = F_FLATTEN),
	FIELD(NULL, FIELD_NEST, LWT_BPF_XMIT, .sub = &schema_bpf_xmit, .flags = F_FLATTEN),
	FIELD("headroom", FIELD_INT, LWT_BPF_XMIT_HEADROOM, .size = 4), /* ip(8) forgets its word */
	END,
};
static const struct field xfrm_rows[] = {
	FIELD("if_id", FIELD_INT, LWT_XFRM_IF_ID, .size = 4),
	FIELD("link_dev", FIELD_IFINDEX, LWT_XFRM_LINK, .size = 4),
	END,
};
static const struct field other_rows[] = {
	FIELD("data", FIELD_BYTES, 0, .flags = 0),
	END,
};

static const struct schema schema_mpls = {"mpls encap", 0, mpls_rows};
static const struct schema schema_ip_tunnel = {"ip encap", 0, ip_tunnel_rows};
static const struct schema schema_ip6_tunnel = {"ip6 encap", 0, ip6_tunnel_rows};
static const struct schema schema_seg6 = {"seg6 encap", 0, seg6_rows};
static const struct schema schema_seg6local = {"seg6local encap", 0, seg6local_rows};
static const struct schema schema_rpl = {"rpl encap", 0, rpl_rows};
static const struct schema schema_ioam6 = {"ioam6 encap", 0, ioam6_rows};
static const struct schema schema_bpf = {"bpf encap", 0, bpf_rows};
static const struct schema schema_xfrm = {"xfrm encap", 0, xfrm_rows};
static const struct schema schema_other = {"encap", 0, other_rows};

const struct variant encaps[] = {
	{"mpls", LWTUNNEL_ENCAP_MPLS, &schema_mpls},
	{"ip", LWTUNNEL_ENCAP_IP, &schema_ip_tunnel},
	{"ip6", LWTUNNEL_ENCAP_IP6, &schema_ip6_tunnel},
	{"seg6", LWTUNNEL_ENCAP_SEG6, &schema_seg6},
	{"seg6local", LWTUNNEL_ENCAP_SEG6_LOCAL, &schema_seg6local},
	{"rpl", LWTUNNEL_ENCAP_RPL, &schema_rpl},
	{"ioam6", LWTUNNEL_ENCAP_IOAM6, &schema_ioam6},
	{"bpf", LWTUNNEL_ENCAP_BPF, &schema_bpf},
	{"xfrm", LWTUNNEL_ENCAP_XFRM, &schema_xfrm},
	{NULL, 0, NULL},
};

/* What has no fields here: a number, and its bytes as they are. */
const struct variant encap_other = {NULL, 0, &schema_other};

/* clang-format on */
