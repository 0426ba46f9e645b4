"""A desktop that shows notifications, for tests: prints each as one JSON line, and answers unless it is told to hang.

It takes the session bus of DBUS_SESSION_BUS_ADDRESS and needs Debian's python3-dbus and python3-gi."""

import json
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.Notifications"


class Desktop(dbus.service.Object):
    @dbus.service.method(NAME, in_signature="susssasa{sv}i", out_signature="u", async_callbacks=("done", "failed"))
    def Notify(self, app, replaces, icon, title, body, actions, hints, stays, done, failed):
        print(json.dumps({"app": app, "title": title, "body": body, "actions": len(actions)}), flush=True)
        if "hang" not in sys.argv:
            done(dbus.UInt32(1))

    @dbus.service.method(NAME, in_signature="", out_signature="as")
    def GetCapabilities(self):
        return ["body", "body-markup"]

    @dbus.service.method(NAME, in_signature="", out_signature="ssss")
    def GetServerInformation(self):
        return ("test", "test", "1", "1.2")


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
taken = dbus.service.BusName(NAME, bus)
desktop = Desktop(bus, "/org/freedesktop/Notifications")
print("ready", flush=True)
GLib.MainLoop().run()
