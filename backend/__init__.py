"""Jindam: a Korean career-counselling agent over LangGraph, Chroma and Gemma 3."""
