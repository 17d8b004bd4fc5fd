// Installs or deletes routes by vishvananda/netlink, as most Go programs do.
//
//	vishvananda FILE add|del handle|package    FILE holds lines "DST GATEWAY..."; only the calls are timed
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
)

func routeOf(words []string, index int) netlink.Route {
	_, dst, err := net.ParseCIDR(words[0])
	if err != nil {
		panic(err)
	}
	if len(words) == 2 {
		return netlink.Route{Dst: dst, Gw: net.ParseIP(words[1])}
	}
	route := netlink.Route{Dst: dst}
	for _, gw := range words[1:] {
		route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{LinkIndex: index, Gw: net.ParseIP(gw)})
	}
	return route
}

// The time of the day, or with ECMP_CLOCK=cpu what this process has used of processors.
func now() int64 {
	if os.Getenv("ECMP_CLOCK") != "cpu" {
		return time.Now().UnixNano()
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	link, err := netlink.LinkByName("bench0")
	if err != nil {
		panic(err)
	}
	var routes []netlink.Route
	for lines := bufio.NewScanner(file); lines.Scan(); {
		routes = append(routes, routeOf(strings.Fields(lines.Text()), link.Attrs().Index))
	}
	handle, err := netlink.NewHandle(syscall.NETLINK_ROUTE)
	if err != nil {
		panic(err)
	}
	call := handle.RouteAdd
	if os.Args[2] == "del" {
		call = handle.RouteDel
	} else if os.Args[3] == "package" {
		call = netlink.RouteAdd
	}
	errors := 0
	start := now()
	for i := range routes {
		if call(&routes[i]) != nil {
			errors++
		}
	}
	fmt.Println(now()-start, errors)
	if errors > 0 {
		os.Exit(1)
	}
}
