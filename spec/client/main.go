// A container runtime as small as can be, on the library that real ones use: libcni. It runs a list
// of plugins for one container, with the cache of results that libcni keeps between ADD and DEL.
//
//	client add|check|del FILE.conflist CONTAINERID NETNS IFNAME [CAPABILITIES]
//
// CNI_PATH names the plugins' directories, CNI_CACHE the cache; CAPABILITIES is a JSON object.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
)

func capabilities(args []string) (map[string]interface{}, error) {
	if len(args) == 0 {
		return nil, nil
	}
	var given map[string]interface{}
	return given, json.Unmarshal([]byte(args[0]), &given)
}

func run(command, file string, args []string) error {
	list, err := libcni.ConfListFromFile(file)
	if err != nil {
		return err
	}
	runtime := &libcni.RuntimeConf{ContainerID: args[0], NetNS: args[1], IfName: args[2]}
	if runtime.CapabilityArgs, err = capabilities(args[3:]); err != nil {
		return err
	}
	paths := filepath.SplitList(os.Getenv("CNI_PATH"))
	client := libcni.NewCNIConfigWithCacheDir(paths, os.Getenv("CNI_CACHE"), nil)
	ctx := context.Background()
	switch command {
	case "add":
		result, err := client.AddNetworkList(ctx, list, runtime)
		if err != nil {
			return err
		}
		return result.PrintTo(os.Stdout)
	case "check":
		return client.CheckNetworkList(ctx, list, runtime)
	case "del":
		return client.DelNetworkList(ctx, list, runtime)
	}
	return fmt.Errorf("unknown command %s", command)
}

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "usage: client add|check|del FILE CONTAINERID NETNS IFNAME [JSON]")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
