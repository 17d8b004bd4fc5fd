/*
 * The fields of lightweight tunnels: the encapsulations of routes and next hops, by type.
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

static const struct field mpls_fields[] = {
	FIELD("labels", FIELD_LABELS, MPLS_IPTUNNEL_DST, .flags = F_POSITIONAL),
	FIELD("ttl", FIELD_INT, MPLS_IPTUNNEL_TTL, .size = 1),
	END,
};
static const struct field ip_tunnel_fields[] = {
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
static const struct field ip6_tunnel_fields[] = {
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
static const struct field seg6_fields[] = {
	FIELD("mode", FIELD_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4, .words = WORDS_SEG6_MODE),
	FIELD("segs", FIELD_SEGMENTS, SEG6_IPTUNNEL_SRH, .size = 4,
	      .flags = F_READONLY | F_SILENT), /* printed with the mode */
	FIELD("hmac", FIELD_HMAC, SEG6_IPTUNNEL_SRH, .size = 4),
	END,
};
static const struct field flavor_fields[] = {
	FIELD("flavors", FIELD_BITS, SEG6_LOCAL_FLV_OPERATION, .size = 4, .words = WORDS_FLAVORS),
	FIELD("lblen", FIELD_INT, SEG6_LOCAL_FLV_LCBLOCK_BITS, .size = 1),
	FIELD("nflen", FIELD_INT, SEG6_LOCAL_FLV_LCNODE_FN_BITS, .size = 1),
	END,
};
const struct schema schema_flavors = {"seg6local encap", 0, flavor_fields};
/* A BPF program: the kernel reports its name, and takes none without a file descriptor. */
#define PROGRAM(word)                                                                              \
	{                                                                                          \
		FIELD(word, FIELD_STRING, LWT_BPF_PROG_NAME, .flags = 0), END                      \
	}
static const struct field endpoint_fields[] = PROGRAM("endpoint");
const struct schema schema_endpoint = {"seg6local encap", 0, endpoint_fields};
static const struct field seg6local_fields[] = {
	FIELD("action", FIELD_INT, SEG6_LOCAL_ACTION, .size = 4, .words = WORDS_SEG6_ACTION),
	FIELD("segs", FIELD_SEGMENTS, SEG6_LOCAL_SRH, .size = 0),
	FIELD("hmac", FIELD_HMAC, SEG6_LOCAL_SRH, .size = 0),
	FIELD("table", FIELD_INT, SEG6_LOCAL_TABLE, .size = 4, .words = WORDS_TABLE),
	FIELD("vrftable", FIELD_INT, SEG6_LOCAL_VRFTABLE, .size = 4, .words = WORDS_TABLE),
	FIELD("nh4", FIELD_ADDRESS, SEG6_LOCAL_NH4, .size = 4),
	FIELD("nh6", FIELD_ADDRESS, SEG6_LOCAL_NH6, .size = 16),
	FIELD("iif", FIELD_IFINDEX, SEG6_LOCAL_IIF, .size = 4),
	FIELD("oif", FIELD_IFINDEX, SEG6_LOCAL_OIF, .size = 4),
	FIELD("count", FIELD_COUNT, SEG6_LOCAL_COUNTERS, .flags = F_SILENT),
	FIELD("", FIELD_NEST, SEG6_LOCAL_BPF, .sub = SUB_endpoint, .flags = F_FLATTEN),
	FIELD("", FIELD_NEST, SEG6_LOCAL_FLAVORS, .sub = SUB_flavors,
	      .flags = F_FLATTEN | F_NESTED),
	END,
};
static const struct field rpl_fields[] = {
	FIELD("segs", FIELD_SEGMENTS, RPL_IPTUNNEL_SRH, .size = 0, .mask = IPV6_SRCRT_TYPE_3),
	END,
};
static const struct field ioam6_trace_fields[] = {
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
const struct schema schema_ioam6_trace = {"ioam6 trace", sizeof(struct ioam6_trace_hdr),
					  ioam6_trace_fields};
static const struct field ioam6_fields[] = {
	FIELD("freq", FIELD_RATIO, IOAM6_IPTUNNEL_FREQ_K, .offset = IOAM6_IPTUNNEL_FREQ_N,
	      .size = 4),
	FIELD("mode", FIELD_INT, IOAM6_IPTUNNEL_MODE, .size = 1, .words = WORDS_IOAM6_MODE),
	FIELD("tundst", FIELD_ADDRESS, IOAM6_IPTUNNEL_DST, .size = 16),
	FIELD("trace", FIELD_PEER, IOAM6_IPTUNNEL_TRACE, .sub = SUB_ioam6_trace,
	      .show = "trace prealloc"),
	END,
};
static const struct field bpf_in_fields[] = PROGRAM("in");
static const struct field bpf_out_fields[] = PROGRAM("out");
static const struct field bpf_xmit_fields[] = PROGRAM("xmit");
const struct schema schema_bpf_in = {"bpf encap", 0, bpf_in_fields};
const struct schema schema_bpf_out = {"bpf encap", 0, bpf_out_fields};
const struct schema schema_bpf_xmit = {"bpf encap", 0, bpf_xmit_fields};
static const struct field bpf_fields[] = {
	FIELD("", FIELD_NEST, LWT_BPF_IN, .sub = SUB_bpf_in, .flags = F_FLATTEN),
	FIELD("", FIELD_NEST, LWT_BPF_OUT, .sub = SUB_bpf_out, .flags = F_FLATTEN),
	FIELD("", FIELD_NEST, LWT_BPF_XMIT, .sub = SUB_bpf_xmit, .flags = F_FLATTEN),
	FIELD("headroom", FIELD_INT, LWT_BPF_XMIT_HEADROOM,
	      .size = 4), /* ip(8) prints it without its keyword */
	END,
};
static const struct field xfrm_fields[] = {
	FIELD("if_id", FIELD_INT, LWT_XFRM_IF_ID, .size = 4),
	FIELD("link_dev", FIELD_IFINDEX, LWT_XFRM_LINK, .size = 4),
	END,
};
static const struct field other_fields[] = {
	FIELD("data", FIELD_BYTES, 0, .flags = 0),
	END,
};

static const struct schema schema_mpls = {"mpls encap", 0, mpls_fields};
static const struct schema schema_ip_tunnel = {"ip encap", 0, ip_tunnel_fields};
static const struct schema schema_ip6_tunnel = {"ip6 encap", 0, ip6_tunnel_fields};
static const struct schema schema_seg6 = {"seg6 encap", 0, seg6_fields};
static const struct schema schema_seg6local = {"seg6local encap", 0, seg6local_fields};
static const struct schema schema_rpl = {"rpl encap", 0, rpl_fields};
static const struct schema schema_ioam6 = {"ioam6 encap", 0, ioam6_fields};
static const struct schema schema_bpf = {"bpf encap", 0, bpf_fields};
static const struct schema schema_xfrm = {"xfrm encap", 0, xfrm_fields};
static const struct schema schema_other = {"encap", 0, other_fields};

const struct variant encap_types[] = {
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

/* A type without fields here: its number, and its payload as bytes. */
const struct variant encap_other = {NULL, 0, &schema_other};

/* clang-format on */
