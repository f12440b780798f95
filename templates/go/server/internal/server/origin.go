package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"example.com/ws-app/internal/config"
	"example.com/ws-app/internal/websocket"
)

// localHosts are names under which every server is reached on its own machine.
var localHosts = []string{"localhost", "127.0.0.1", "[::1]"}

// faultOfOrigin is what is wrong with the Origin of a web page, and which setting allows it; "" if nothing
// is. Browsers always send Origin; a client without one is not a web page.
func faultOfOrigin(settings *config.Config, r *http.Request) string {
	if _, ok := r.Header["Origin"]; !ok {
		return ""
	}
	origin := r.Header.Get("Origin")
	if len(settings.AllowedOrigins) > 0 {
		if slices.Contains(settings.AllowedOrigins, origin) {
			return ""
		}
		return "not in ALLOWED_ORIGINS"
	}
	// What is no URL has no host.
	page, err := url.Parse(origin)
	if err != nil {
		page = &url.URL{}
	}
	isLocal := slices.Contains(localHosts, hostOf(page.Host))
	if isLocal && !settings.Production {
		return ""
	}
	if page.Host == "" || authority(page.Scheme, page.Host) != authority(page.Scheme, r.Host) {
		if isLocal {
			return "localhost, but NODE_ENV is production; ALLOWED_ORIGINS allows it"
		}
		return "another host than Host; ALLOWED_ORIGINS allows it"
	}
	// A page can make its own name point to this server (DNS rebinding).
	if !isOwnHost(settings, r.Host) {
		return "no name of this server; ALLOWED_HOSTS allows it"
	}
	return ""
}

// isOwnHost is whether a Host header names this server, with any port.
func isOwnHost(settings *config.Config, host string) bool {
	if !websocket.IsHost(host) {
		return false
	}
	isName := func(name string) bool { return strings.EqualFold(name, hostOf(host)) }
	return slices.ContainsFunc(localHosts, isName) || slices.ContainsFunc(settings.AllowedHosts, isName)
}

// hostOf is a Host header without its port.
func hostOf(host string) string {
	if end := strings.IndexByte(host, ']'); end >= 0 {
		return strings.ToLower(host[:end+1])
	}
	name, _, _ := strings.Cut(host, ":")
	return strings.ToLower(name)
}

// authority is host with the port, also where that is the one of the scheme.
func authority(scheme, host string) string {
	_, port, _ := strings.Cut(host[strings.IndexByte(host, ']')+1:], ":")
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	return hostOf(host) + ":" + port
}
