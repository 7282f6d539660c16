#!/bin/sh
systemctl enable --now shop
